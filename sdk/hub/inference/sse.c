/* sse.c - the decoder of sse.h. A line that lies whole in the piece is read where it is; only what spans pieces is kept.
 * Fields other than data and event (id, retry, comments, anything else) change nothing.
 * No event is larger than `max`, however it is cut. */
#include "sse.h"

#include <stdlib.h>
#include <string.h>

void hf_sse_init(struct hf_sse *s, size_t max, hf_sse_fn fn, void *arg) {
  *s = (struct hf_sse){.max = max, .fn = fn, .arg = arg};
}

void hf_sse_free(struct hf_sse *s) {
  free(s->line);
  free(s->data);
  s->line = s->data = NULL;
}

static hf_status append(char **to, size_t *len, size_t *cap, size_t max, const char *from, size_t n) {
  if (n > max || *len > max - n) return HF_EPROTO;
  if (*len + n > *cap) {
    size_t room = *cap ? *cap : 512;
    while (room < *len + n) room *= 2;
    char *grown = realloc(*to, room);
    if (!grown) return HF_ENOMEM;
    *to = grown;
    *cap = room;
  }
  if (n) memcpy(*to + *len, from, n);
  *len += n;
  return HF_OK;
}

/* Data that lies in the piece moves to memory of ours. */
static hf_status keep(struct hf_sse *s) {
  if (!s->whole) return HF_OK;
  const char *from = s->whole;
  s->whole = NULL;
  return append(&s->data, &s->data_len, &s->data_cap, s->max, from, s->whole_len);
}

static hf_status dispatch(struct hf_sse *s) {
  hf_status st = HF_OK;
  if (s->has_data) {
    s->events++;
    st = s->whole ? s->fn(s->arg, s->event, s->whole, s->whole_len)
                  : s->fn(s->arg, s->event, s->data ? s->data : "", s->data_len);
  }
  s->whole = NULL;
  s->data_len = 0;
  s->has_data = false;
  s->event[0] = 0;
  return st;
}

static hf_status take_data(struct hf_sse *s, const char *text, size_t len, bool in_piece) {
  if (len > s->max) return HF_EPROTO;
  if (!s->has_data && in_piece) {
    s->has_data = true;
    s->whole = text;
    s->whole_len = len;
    return HF_OK;
  }
  hf_status st = keep(s);
  if (st == HF_OK && s->has_data) st = append(&s->data, &s->data_len, &s->data_cap, s->max, "\n", 1);
  if (st == HF_OK) st = append(&s->data, &s->data_len, &s->data_cap, s->max, text, len);
  s->has_data = true;
  return st;
}

static hf_status take_line(struct hf_sse *s, const char *line, size_t len, bool in_piece) {
  if (!s->begun) {
    s->begun = true;
    if (len >= 3 && !memcmp(line, "\xef\xbb\xbf", 3)) line += 3, len -= 3;
  }
  if (!len) return dispatch(s);
  bool data = len >= 4 && !memcmp(line, "data", 4), event = len >= 5 && !memcmp(line, "event", 5);
  size_t name = data ? 4 : event ? 5 : 0;
  if (!name || (len > name && line[name] != ':')) return HF_OK;
  const char *value = line + name;
  size_t n = len - name;
  if (n) value++, n--;
  if (n && *value == ' ') value++, n--;
  if (data) return take_data(s, value, n, in_piece);
  size_t room = n < sizeof s->event - 1 ? n : sizeof s->event - 1;
  memcpy(s->event, value, room);
  s->event[room] = 0;
  return HF_OK;
}

/* The first CR or LF. */
static const char *line_end(const char *at, size_t len) {
  const char *lf = memchr(at, '\n', len);
  const char *cr = memchr(at, '\r', lf ? (size_t)(lf - at) : len);
  return cr ? cr : lf;
}

hf_status hf_sse_feed(struct hf_sse *s, const void *bytes, size_t len) {
  const char *at = bytes, *stop = at + len;
  hf_status st = HF_OK;
  if (len && s->skip_lf && *at == '\n') at++;
  if (len) s->skip_lf = false;
  while (at < stop && st == HF_OK) {
    const char *end = line_end(at, (size_t)(stop - at));
    if (!end) break;
    if (s->line_len) {
      st = append(&s->line, &s->line_len, &s->line_cap, s->max, at, (size_t)(end - at));
      if (st == HF_OK) st = take_line(s, s->line, s->line_len, false);
      s->line_len = 0;
    } else {
      st = take_line(s, at, (size_t)(end - at), true);
    }
    at = end + 1;
    if (*end == '\r' && at < stop && *at == '\n')
      at++;
    else if (*end == '\r' && at == stop)
      s->skip_lf = true;
  }
  if (st == HF_OK && at < stop) st = append(&s->line, &s->line_len, &s->line_cap, s->max, at, (size_t)(stop - at));
  if (st == HF_OK) st = keep(s);
  s->whole = NULL;
  return st;
}

hf_status hf_sse_end(struct hf_sse *s) {
  hf_status st = s->line_len ? take_line(s, s->line, s->line_len, false) : HF_OK;
  s->line_len = 0;
  return st == HF_OK ? dispatch(s) : st;
}
