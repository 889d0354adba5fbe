/* scan.c - one member of a large JSON object while it arrives: the commit of a revision, whose answer lists every file of the
 * repo and is never held. Memory does not grow with the answer; bytes and nesting are bounded.
 * The reader knows strings and brackets, no more: what it takes for the member is judged by whoever asked. */
#include "hub.h"

#include <string.h>

enum { SCAN_DEPTH = 64, SCAN_TEXT = 64 };
#define SCAN_BYTES ((uint64_t)256 << 20)

struct scan {
  const char *wanted;
  uint64_t bytes;
  uint32_t depth, len;
  bool object, text, escaped, value, broken;
  char word[SCAN_TEXT], key[SCAN_TEXT], found[SCAN_TEXT];
};

/* A string of the outermost object ended: a name, or the value of one. A longer one is neither. */
static void end_word(struct scan *s) {
  s->word[s->len < SCAN_TEXT ? s->len : 0] = 0;
  if (!s->value)
    memcpy(s->key, s->word, SCAN_TEXT);
  else if (!strcmp(s->key, s->wanted))
    memcpy(s->found, s->word, SCAN_TEXT);
}

static void in_text(struct scan *s, char ch) {
  if (!s->escaped && ch == '"') {
    s->text = false;
    if (s->depth == 1) end_word(s);
    return;
  }
  s->escaped = !s->escaped && ch == '\\';
  if (s->len < SCAN_TEXT) s->word[s->len++] = ch;
}

static void between(struct scan *s, char ch) {
  switch (ch) {
    case '"':
      s->text = true;
      s->len = 0;
      break;
    case '{':
    case '[':
      if (s->depth == 0) s->object = ch == '{';
      s->broken |= ++s->depth > SCAN_DEPTH;
      break;
    case '}':
    case ']':
      s->broken |= s->depth == 0;
      s->depth -= s->depth > 0;
      break;
    case ':': s->value |= s->depth == 1; break;
    case ',': s->value &= s->depth != 1; break;
    default: s->broken |= s->depth == 0 && !strchr(" \t\r\n", ch);
  }
}

static hf_status on_data(hf_call *c, void *arg, const void *data, size_t len) {
  struct scan *s = arg;
  const char *p = data;
  s->bytes += len;
  for (size_t i = 0; i < len && !s->broken; i++) s->text ? in_text(s, p[i]) : between(s, p[i]);
  if (!s->broken && s->bytes <= SCAN_BYTES) return HF_OK;
  return hf_hub_fail(c, HF_EPROTO, NULL,
                     "The Hub's answer about the repo is no JSON, or nested or grown beyond what is "
                     "accepted; check HF_ENDPOINT.");
}

hf_status hf_hub_scan(struct hf_hub *hub, const struct hf_hub_req *req, const char *member, const char **value) {
  struct scan s = {.wanted = member};
  struct hf_hub_req r = *req;
  struct hf_http_resp resp;
  r.on_data = on_data;
  r.on_data_arg = &s;
  *value = NULL;
  TRY(hf_hub_send(hub, &r, &resp));
  if (!s.object || s.depth || s.text) s.found[0] = 0;
  *value = hf_host()->intern(hub->call, s.found, SIZE_MAX);
  return *value ? HF_OK : HF_ENOMEM;
}
