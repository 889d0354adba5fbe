/* recon.c - reads the JSON of a reconstruction and finds for each term the range that holds it.
 * Version 2 has {"xorbs": {HASH: [{"url", "ranges": [{"chunks", "bytes"}]}]}}, version 1 {"fetch_info": {HASH: [{"range",
 * "url", "url_range"}]}}. Chunk ranges exclude their end, byte ranges include it. */
#include "recon.h"
#include "json.h"
#include "xorb.h"

#include <stdlib.h>
#include <string.h>

enum { TERMS_MOST = 1 << 22, RANGES_MOST = 1 << 20, URL_MOST = 16384, BACK_MOST = 64 };

struct reader {
  struct xet_json j;
  struct xet_recon *r;
  uint32_t term_room, range_room;
  size_t url_len, url_room;
  const char *why;
};

static int fail(struct reader *r, const char *why) {
  if (!r->why) r->why = why;
  r->j.bad = 1;
  return 0;
}

static int grow(struct reader *r, void **rows, uint32_t *room, uint32_t n, size_t size, uint32_t most) {
  if (n < *room) return 1;
  if (n >= most) return fail(r, "it has too many entries");
  uint32_t want = *room ? *room * 2 : 64;
  void *more = realloc(*rows, want * size);
  if (!more) return fail(r, "there is no memory for it");
  *rows = more;
  *room = want;
  return 1;
}

static int read_hash(struct reader *r, struct xet_hash *h) {
  char text[65];
  return xet_json_string(&r->j, text, sizeof text) && (xet_hash_read(text, h) || fail(r, "a hash is none"));
}

static int read_pair(struct reader *r, uint64_t *start, uint64_t *end) {
  char name[16];
  int have = 0;
  for (xet_json_open(&r->j, '{'); xet_json_key(&r->j, name, sizeof name);) {
    if (!strcmp(name, "start"))
      have |= xet_json_number(&r->j, start);
    else if (!strcmp(name, "end"))
      have |= xet_json_number(&r->j, end) << 1;
    else
      xet_json_skip(&r->j);
  }
  return have == 3 || fail(r, "a range has no start or end");
}

static int read_chunks(struct reader *r, uint32_t *start, uint32_t *end) {
  uint64_t a = 0, b = 0;
  if (!read_pair(r, &a, &b)) return 0;
  if (a >= b || b > XET_XORB_CHUNKS_MAX) return fail(r, "a chunk range is impossible");
  *start = (uint32_t)a;
  *end = (uint32_t)b;
  return 1;
}

static int read_term(struct reader *r) {
  char name[32];
  struct xet_term t = {.range = UINT32_MAX};
  uint64_t raw = 0;
  int have = 0;
  for (xet_json_open(&r->j, '{'); xet_json_key(&r->j, name, sizeof name);) {
    if (!strcmp(name, "hash"))
      have |= read_hash(r, &t.xorb);
    else if (!strcmp(name, "unpacked_length"))
      have |= xet_json_number(&r->j, &raw) << 1;
    else if (!strcmp(name, "range"))
      have |= read_chunks(r, &t.start, &t.end) << 2;
    else
      xet_json_skip(&r->j);
  }
  if (have != 7) return fail(r, "a term lacks a part");
  uint64_t n = t.end - t.start;
  if (raw < n || raw > n * XET_CHUNK_MAX || raw > XET_XORB_RAW_MAX) return fail(r, "a term has an impossible length");
  t.raw = (uint32_t)raw;
  if (!grow(r, (void **)&r->r->terms, &r->term_room, r->r->term_count, sizeof t, TERMS_MOST)) return 0;
  r->r->terms[r->r->term_count++] = t;
  r->r->raw += raw;
  return 1;
}

static int read_bytes(struct reader *r, struct xet_range *range) {
  if (!read_pair(r, &range->first, &range->last)) return 0;
  if (range->first > range->last || range->last >= 2 * (uint64_t)XET_XORB_BODY_MAX)
    return fail(r, "a byte range is impossible");
  return 1;
}

static int add_range(struct reader *r, const struct xet_range *range) {
  uint64_t least = (uint64_t)(range->end - range->start) * (XET_RECORD_HEAD + 1);
  if (range->last - range->first + 1 < least) return fail(r, "a byte range is too short for its chunks");
  if (!grow(r, (void **)&r->r->ranges, &r->range_room, r->r->range_count, sizeof *range, RANGES_MOST)) return 0;
  r->r->ranges[r->r->range_count++] = *range;
  return 1;
}

/* Keeps the address; *at says where. */
static int read_url(struct reader *r, uint32_t *at) {
  if (r->url_room - r->url_len < URL_MOST) {
    size_t room = r->url_room * 2 + URL_MOST;
    char *more = room < UINT32_MAX ? realloc(r->r->urls, room) : NULL;
    if (!more) return fail(r, "there is no memory for it");
    r->r->urls = more;
    r->url_room = room;
  }
  if (!xet_json_string(&r->j, r->r->urls + r->url_len, URL_MOST)) return 0;
  *at = (uint32_t)r->url_len;
  r->url_len += strlen(r->r->urls + r->url_len) + 1;
  return 1;
}

/* One entry of a xorb, of either version; ranges read before the address get it afterwards. */
static int read_entry(struct reader *r, const struct xet_hash *xorb) {
  char name[32];
  uint32_t first = r->r->range_count, url = UINT32_MAX;
  struct xet_range one = {.xorb = *xorb};
  int have = 0;
  for (xet_json_open(&r->j, '{'); xet_json_key(&r->j, name, sizeof name);) {
    if (!strcmp(name, "url")) {
      read_url(r, &url);
    } else if (!strcmp(name, "range")) {
      have |= read_chunks(r, &one.start, &one.end);
    } else if (!strcmp(name, "url_range")) {
      have |= read_bytes(r, &one) << 1;
    } else if (!strcmp(name, "ranges")) {
      for (xet_json_open(&r->j, '['); xet_json_item(&r->j);) {
        struct xet_range range = {.xorb = *xorb};
        int both = 0;
        for (xet_json_open(&r->j, '{'); xet_json_key(&r->j, name, sizeof name);) {
          if (!strcmp(name, "chunks"))
            both |= read_chunks(r, &range.start, &range.end);
          else if (!strcmp(name, "bytes"))
            both |= read_bytes(r, &range) << 1;
          else
            xet_json_skip(&r->j);
        }
        if (both != 3) return fail(r, "a range lacks a part");
        if (!add_range(r, &range)) return 0;
      }
    } else {
      xet_json_skip(&r->j);
    }
  }
  if (have == 3 && !add_range(r, &one)) return 0;
  if (url == UINT32_MAX) return fail(r, "a range has no address");
  for (uint32_t i = first; i < r->r->range_count; i++) r->r->ranges[i].url = url;
  return !r->j.bad;
}

static int read_xorbs(struct reader *r) {
  char name[72];
  for (xet_json_open(&r->j, '{'); xet_json_key(&r->j, name, sizeof name);) {
    struct xet_hash xorb;
    if (!xet_hash_read(name, &xorb)) return fail(r, "a hash is none");
    for (xet_json_open(&r->j, '['); xet_json_item(&r->j);)
      if (!read_entry(r, &xorb)) return 0;
  }
  return !r->j.bad;
}

static int by_place(const void *a, const void *b) {
  const struct xet_range *x = a, *y = b;
  int d = memcmp(&x->xorb, &y->xorb, sizeof x->xorb);
  return d ? d : x->start != y->start ? (x->start < y->start ? -1 : 1) : (x->end > y->end) - (x->end < y->end);
}

/* The last range that begins at or before the term, or one of those before it. */
static int find_range(const struct xet_recon *r, struct xet_term *t) {
  uint32_t low = 0, high = r->range_count;
  struct xet_range key = {.xorb = t->xorb, .start = t->start, .end = UINT32_MAX};
  while (low < high) {
    uint32_t mid = low + (high - low) / 2;
    if (by_place(&r->ranges[mid], &key) <= 0)
      low = mid + 1;
    else
      high = mid;
  }
  for (uint32_t i = low, back = 0; i > 0 && back < BACK_MOST; i--, back++) {
    const struct xet_range *range = &r->ranges[i - 1];
    if (memcmp(&range->xorb, &t->xorb, sizeof t->xorb) != 0) return 0;
    if (range->end < t->end) continue;
    t->range = i - 1;
    return 1;
  }
  return 0;
}

const char *xet_recon_read(const char *json, size_t len, struct xet_recon *out) {
  struct reader r = {.j = {.p = json, .end = json + len}, .r = out};
  char name[40];
  *out = (struct xet_recon){0};
  for (xet_json_open(&r.j, '{'); xet_json_key(&r.j, name, sizeof name);) {
    if (!strcmp(name, "offset_into_first_range")) {
      xet_json_number(&r.j, &out->skip);
    } else if (!strcmp(name, "terms")) {
      for (xet_json_open(&r.j, '['); xet_json_item(&r.j);)
        if (!read_term(&r)) break;
    } else if (!strcmp(name, "xorbs") || !strcmp(name, "fetch_info")) {
      if (xet_json_peek(&r.j) == 'n')
        xet_json_skip(&r.j);
      else
        read_xorbs(&r);
    } else {
      xet_json_skip(&r.j);
    }
  }
  if (r.why) return r.why;
  if (r.j.bad) return "it is not the JSON that was expected";
  if (out->range_count) qsort(out->ranges, out->range_count, sizeof *out->ranges, by_place);
  for (uint32_t i = 0; i < out->term_count; i++)
    if (!find_range(out, &out->terms[i])) return "a term has no range that holds it";
  if (out->term_count ? out->skip >= out->terms[0].raw : out->skip > 0) return "it begins behind its first term";
  return NULL;
}

void xet_recon_free(struct xet_recon *r) {
  free(r->terms);
  free(r->ranges);
  free(r->urls);
  *r = (struct xet_recon){0};
}
