/* slots.c - how many exchanges one host has at the same time. Counted here and not by curl, whose time limits also run while
 * an exchange waits for its turn: a long queue behind large files must not look like a dead server.
 * An exchange that a callback of another one starts needs no slot, so nesting cannot lock up. */
#include <string.h>

#include "stack.h"

/* FNV-1a of scheme, host and port. */
static uint64_t host_of(const char *url) {
  uint64_t h = 14695981039346656037u;
  const char *sep = strstr(url, "://");
  size_t n = sep != NULL ? (size_t)(sep + 3 - url) : 0;
  n += strcspn(url + n, "/?#");
  for (size_t i = 0; i < n; i++) h = (h ^ (unsigned char)url[i]) * 1099511628211u;
  return h;
}

/* With the lock held. NULL: the table is full, this host is not counted. */
static struct slot *slot_of(struct stack *s, uint64_t host) {
  struct slot *free_one = NULL;
  for (size_t i = 0; i < SLOT_HOSTS; i++) {
    struct slot *at = &s->slots[i];
    if (at->users > 0 && at->host == host) return at;
    if (at->users == 0 && free_one == NULL) free_one = at;
  }
  if (free_one != NULL) *free_one = (struct slot){.host = host};
  return free_one;
}

struct slot_waiter {
  void *light;
  struct slot_waiter *next;
};

/* With the lock held, which is released meanwhile. */
static void wait_lightly(struct stack *s) {
  struct slot_waiter me = {s->light_self(), s->slot_waiters}, **at = &s->slot_waiters;
  s->slot_waiters = &me;
  pthread_mutex_unlock(&s->lock);
  s->light_park(stack_now_ns() + LIGHT_TICK_NS);
  pthread_mutex_lock(&s->lock);
  while (*at != &me) at = &(*at)->next;
  *at = me.next;
}

hf_status slot_take(hf_call *call, struct stack *s, const char *url, struct slot **out) {
  hf_status st = HF_OK;
  *out = NULL;
  uint64_t host = host_of(url);
  pthread_mutex_lock(&s->lock);
  struct slot *slot = slot_of(s, host);
  if (slot != NULL) slot->users++;
  while (slot != NULL && slot->busy >= s->per_host) {
    if (s->light_self != NULL && s->light_self() != NULL)
      wait_lightly(s);
    else
      cond_wait_tick(&s->slot_free, &s->lock);
    pthread_mutex_unlock(&s->lock);
    st = s->host->check(call);
    pthread_mutex_lock(&s->lock);
    if (st != HF_OK) break;
  }
  if (slot != NULL && st != HF_OK) slot->users--;
  if (slot != NULL && st == HF_OK) slot->busy++;
  pthread_mutex_unlock(&s->lock);
  *out = st == HF_OK ? slot : NULL;
  return st;
}

void slot_give(struct stack *s, struct slot *slot) {
  if (slot == NULL) return;
  pthread_mutex_lock(&s->lock);
  slot->busy--;
  slot->users--;
  pthread_cond_broadcast(&s->slot_free);
  for (struct slot_waiter *w = s->slot_waiters; w != NULL; w = w->next) s->light_wake(w->light);
  pthread_mutex_unlock(&s->lock);
}
