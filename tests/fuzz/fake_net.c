/* fake_net.c - a network of scripted answers in place of the real one (netstack.c): nothing is sent, the next answer comes.
 * An answer is a line with the status, header lines "name: value", an empty line, the body; a line "%%" ends it.
 * Digests are real for nobody: a fixed sum of the right length. */
#include "fake_net.h"

#include "netstack.h"
#include "url.h"

static char *script;
static bool told; /* the script names the token itself: a server may send it where it likes */

void fake_net_script(char *text) {
  script = text;
  told = text && strstr(text, FAKE_NET_SECRET);
}

/* Takes one answer off the script. */
static char *next_answer(void) {
  char *answer = script, *end = answer ? strstr(answer, "\n%%\n") : NULL;
  if (end) *end = 0;
  script = end ? end + 4 : NULL;
  return answer;
}

/* The token goes where it belongs, in a header, and nowhere else. */
static void check_secret(const struct hf_net_req *req) {
  bool home = hf_url_same_origin(req->url, "https://huggingface.co") ||
              hf_url_same_origin(req->url, "https://router.huggingface.co");
  FUZZ_CHECK(told || !strstr(req->url, FAKE_NET_SECRET));
  for (uint32_t i = 0; i < req->header_count; i++) {
    const char *value = req->headers[i].value;
    FUZZ_CHECK(home || told || !strstr(value, FAKE_NET_SECRET));
    for (const char *s = value; *s; s++) FUZZ_CHECK((unsigned char)*s >= 0x20 && *s != 0x7f);
  }
}

static hf_status perform(hf_call *c, void *net, const struct hf_net_req *req, struct hf_net_result *result) {
  enum { MOST = 64 };
  struct hf_kv rows[MOST];
  (void)net;
  check_secret(req);
  char *answer = next_answer();
  if (!answer) return hf_host()->failf(c, HF_ENET, "the script has ended");
  char *body = strstr(answer, "\n\n"), *rest = answer;
  if (body) *body = 0, body += 2;
  char *line = fuzz_line(&rest);
  uint32_t status = 0, n = 0;
  for (char *p = line; *p >= '0' && *p <= '9' && status < 1000; p++) status = status * 10 + (uint32_t)(*p - '0');
  while (rest && n < MOST && (line = fuzz_line(&rest)) != NULL) {
    char *colon = strchr(line, ':');
    if (!colon) continue;
    *colon = 0;
    for (char *p = line; *p; p++)
      if (*p >= 'A' && *p <= 'Z') *p = (char)(*p + 32);
    for (char *p = colon + 1; *p; p++)
      if ((unsigned char)*p < 0x20 || *p == 0x7f) *p = ' '; /* the real network refuses them */
    rows[n++] = (struct hf_kv){line, colon + 1 + strspn(colon + 1, " ")};
  }
  result->status = status < 100 || status > 599 ? 200 : status;
  hf_status st = req->on_head(req->arg, result->status, rows, n);
  size_t len = body ? strlen(body) : 0, half = len / 2;
  if (st == HF_OK && half) st = req->on_body(req->arg, body, half);
  if (st == HF_OK && len > half) st = req->on_body(req->arg, body + half, len - half);
  result->received = len;
  return st == HF_PENDING ? HF_OK : st;
}

static hf_status digest_new(uint32_t algo, uint64_t size, void **d) {
  static uint32_t kinds[8];
  (void)size;
  *d = &kinds[algo & 7];
  kinds[algo & 7] = algo;
  return HF_OK;
}

static void digest_add(void *d, const void *data, size_t len) {
  (void)d, (void)data, (void)len;
}

static void digest_end(void *d, struct hf_digest *out) {
  if (!out) return;
  *out = (struct hf_digest){.algo = *(uint32_t *)d};
  out->len = out->algo == HF_DIGEST_SHA256 ? 32 : 20;
}

static hf_status open_net(const struct hf_host *host, const struct hf_net_config *config, void **net, char *why,
                          size_t len) {
  (void)host, (void)config, (void)why, (void)len;
  *net = NULL;
  return HF_OK;
}

static void close_net(void *net) {
  (void)net;
}

static uint32_t random32(void) {
  return 4;
}

static const struct hf_net fake = {.struct_size = sizeof fake,
                                   .abi = HF_NET_ABI,
                                   .version = "fake",
                                   .open = open_net,
                                   .close = close_net,
                                   .perform = perform,
                                   .digest_new = digest_new,
                                   .digest_add = digest_add,
                                   .digest_end = digest_end,
                                   .random32 = random32};

const struct hf_net *netstack_module(hf_call *c) {
  (void)c;
  return &fake;
}

hf_status netstack_open(hf_call *c, const struct hf_net **net, void **stack) {
  (void)c;
  *net = &fake;
  *stack = NULL;
  return HF_OK;
}

uint32_t netstack_random(hf_call *c) {
  (void)c;
  return 4;
}

void netstack_hold(hf_call *c, const char *url, uint64_t ms) {
  (void)c, (void)url, (void)ms;
}

hf_status netstack_wait(hf_call *c, const char *url) {
  (void)url;
  return hf_call_check(c);
}

const struct rewrite_rules *netstack_rules(hf_call *c) {
  static struct rewrite_rules *none;
  const char *why;
  (void)c;
  if (!none) none = rewrite_rules_read("", &why);
  return none;
}

void hf_netstack_close(struct hf_netstack *ns) {
  (void)ns;
}

static int32_t record(void *arg, uint32_t what, const char *json, size_t len) {
  (void)arg, (void)what;
  FUZZ_CHECK(json && len);
  return 0;
}

void fake_net_run(const char *task, const char *args, const struct hf_kv *option, const uint8_t *answers, size_t size) {
  const struct hf_kv options[] = {{"HF_TRIES", "1"}, {"HF_TOKEN", FAKE_NET_SECRET}, *option};
  struct hf_watch watch = {.struct_size = sizeof watch,
                           .flags = HF_WATCH_RUN_IN_WAIT,
                           .record = record,
                           .deadline_ms = 20000,
                           .options = HF_TABLE_N(options, 3)};
  hf_runtime *rt = fuzz_runtime(NULL);
  char *text = fuzz_text(answers, size);
  fake_net_script(text);
  hf_op *op = hf_op_start(rt, task, args, &watch);
  FUZZ_CHECK(op);
  hf_status st = hf_op_wait(op);
  const struct hf_error *e = hf_op_error(op);
  FUZZ_CHECK(st == HF_OK || (e && e->message[0] && !strstr(e->message, FAKE_NET_SECRET)));
  hf_op_free(op);
  fake_net_script(NULL);
  free(text);
}
