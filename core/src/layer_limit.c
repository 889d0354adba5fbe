/* layer_limit.c - "limit:bytes=1000000,ops=50": at most so many bytes and calls per second, for each store or session.
 * Two clocks that run ahead: a call books its share and sleeps until its turn.
 * A quarter of a second may be used up at once. */
#include "layer.h"

struct limit {
  double bytes_ns, op_ns; /* what one byte and one call cost */
  pthread_mutex_t lock;
  uint64_t free_at;
};
enum { BURST_NS = 250000000 };

static hf_status limit_open(hf_call *c, void *state, const char *spec) {
  struct limit *l = state;
  double bytes = hf_layer_number(spec, "bytes", 0), ops = hf_layer_number(spec, "ops", 0);
  (void)c;
  l->bytes_ns = bytes > 0 ? 1e9 / bytes : 0;
  l->op_ns = ops > 0 ? 1e9 / ops : 0;
  pthread_mutex_init(&l->lock, NULL);
  return HF_OK;
}

static hf_status limit_before(hf_call *c, void *state, struct hf_step *s) {
  struct limit *l = state;
  uint64_t now = hf_now_ns();
  double cost = l->op_ns + l->bytes_ns * (double)s->bytes;
  pthread_mutex_lock(&l->lock);
  if (l->free_at + BURST_NS < now) l->free_at = now - BURST_NS;
  uint64_t turn = l->free_at += cost < 9e18 ? (uint64_t)cost : (uint64_t)9e18;
  pthread_mutex_unlock(&l->lock);
  return turn > now ? hf_call_sleep(c, (turn - now) / 1000000) : HF_OK;
}

static void limit_close(void *state) {
  pthread_mutex_destroy(&((struct limit *)state)->lock);
}

const struct hf_layer_kind hf_layer_limit = {.name = "limit",
                                             .state_size = sizeof(struct limit),
                                             .open = limit_open,
                                             .before = limit_before,
                                             .close = limit_close};
