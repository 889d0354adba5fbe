/* ranges.c - the set of byte ranges that a sink holds, as a sorted array.
 * Downloads make few ranges; the number is capped so that a hostile writing order cannot eat memory.
 * Callers have checked that off + len does not overflow. */
#include "bytes.h"

/* First row that ends at or behind off. */
static uint32_t find(const struct hf_ranges *r, uint64_t off) {
  uint32_t lo = 0, hi = r->n;
  while (lo < hi) {
    uint32_t mid = lo + (hi - lo) / 2;
    if (r->rows[mid].off + r->rows[mid].len < off)
      lo = mid + 1;
    else
      hi = mid;
  }
  return lo;
}

static bool room(struct hf_ranges *r) {
  if (r->n < r->cap) return true;
  if (r->n >= HF_RANGES_MOST) return false;
  uint32_t cap = r->cap ? r->cap * 2 : 8;
  struct hf_range *rows = hf_mem_resize(r->rows, cap * sizeof *rows);
  if (!rows) return false;
  r->rows = rows;
  r->cap = cap;
  return true;
}

bool hf_ranges_add(struct hf_ranges *r, uint64_t off, uint64_t len) {
  if (len == 0) return true;
  uint64_t end = off + len;
  uint32_t i = find(r, off), j = i;
  while (j < r->n && r->rows[j].off <= end) {
    uint64_t row_end = r->rows[j].off + r->rows[j].len;
    if (r->rows[j].off < off) off = r->rows[j].off;
    if (row_end > end) end = row_end;
    r->total -= r->rows[j].len;
    j++;
  }
  if (i == j) {
    if (!room(r)) return false;
    memmove(r->rows + i + 1, r->rows + i, (r->n - i) * sizeof *r->rows);
    r->n++;
  } else if (j > i + 1) {
    memmove(r->rows + i + 1, r->rows + j, (r->n - j) * sizeof *r->rows);
    r->n -= j - i - 1;
  }
  r->rows[i] = (struct hf_range){off, end - off};
  r->total += end - off;
  return true;
}

bool hf_ranges_cut(struct hf_ranges *r, uint64_t off, uint64_t len) {
  if (len == 0) return true;
  uint64_t end = off + len;
  for (uint32_t i = find(r, off); i < r->n && r->rows[i].off < end;) {
    struct hf_range *row = &r->rows[i];
    uint64_t row_end = row->off + row->len;
    if (row_end <= off) {
      i++;
    } else if (row->off < off && row_end > end) {
      if (!room(r)) return false;
      memmove(r->rows + i + 1, r->rows + i, (r->n - i) * sizeof *r->rows);
      r->n++;
      r->rows[i].len = off - r->rows[i].off;
      r->rows[i + 1] = (struct hf_range){end, row_end - end};
      r->total -= len;
      return true;
    } else if (row->off < off) {
      r->total -= row_end - off;
      row->len = off - row->off;
      i++;
    } else if (row_end > end) {
      r->total -= end - row->off;
      *row = (struct hf_range){end, row_end - end};
      return true;
    } else {
      r->total -= row->len;
      memmove(row, row + 1, (r->n - i - 1) * sizeof *row);
      r->n--;
    }
  }
  return true;
}

uint64_t hf_ranges_end(const struct hf_ranges *r, uint64_t off) {
  uint32_t i = find(r, off);
  if (i < r->n && r->rows[i].off + r->rows[i].len == off) i++;
  return i < r->n && r->rows[i].off <= off ? r->rows[i].off + r->rows[i].len : off;
}

bool hf_ranges_has(const struct hf_ranges *r, uint64_t off, uint64_t len) {
  return len == 0 || hf_ranges_end(r, off) >= off + len;
}

bool hf_ranges_touch(const struct hf_ranges *r, uint64_t off, uint64_t len) {
  if (len == 0) return false;
  uint32_t i = find(r, off);
  if (i < r->n && r->rows[i].off + r->rows[i].len == off) i++;
  return i < r->n && r->rows[i].off < off + len;
}

void hf_ranges_gaps(const struct hf_ranges *r, uint64_t size, struct hf_range *out, uint32_t *n) {
  uint32_t room_for = *n, made = 0;
  uint64_t at = 0;
  for (uint32_t i = 0; i <= r->n && made < room_for && at < size; i++) {
    uint64_t next = i < r->n ? r->rows[i].off : size;
    if (next > size) next = size;
    if (next > at) out[made++] = (struct hf_range){at, next - at};
    if (i < r->n) at = r->rows[i].off + r->rows[i].len;
  }
  *n = made;
}

void hf_ranges_free(struct hf_ranges *r) {
  hf_mem_free(r->rows);
  *r = (struct hf_ranges){0};
}
