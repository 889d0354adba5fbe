/* Text of request bodies: base64 of every length against the plain way, strings against Jansson; and the memory that small files
 * wait in: what is given back is used again, what does not fit is not taken, every content stays as it was written.
 * No network, no files. */
#include <jansson.h>
#include <pthread.h>

#include "commit.h"
#include "encode.h"
#undef TRY /* the core has its own */
#undef HF_COUNT
#include "unit_runtime.h"

static void plain_base64(const uint8_t *data, size_t len, char *to) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i < len; i += 3) {
    uint32_t v = 0;
    for (size_t k = 0; k < 3; k++) v = v << 8 | (i + k < len ? data[i + k] : 0);
    for (size_t k = 0; k < 4; k++) *to++ = i + k > len ? '=' : digits[v >> (18 - 6 * k) & 63];
  }
}

START_TEST(base64_of_every_length) {
  uint8_t data[700];
  char is[1000], want[1000];
  uint32_t x = 1;
  for (size_t round = 0; round < 20; round++) {
    for (size_t i = 0; i < sizeof data; i++) data[i] = (uint8_t)((x = x * 1664525 + 1013904223) >> 24);
    for (size_t len = 0; len <= sizeof data; len++) {
      size_t n = (size_t)hf_hub_base64_len(len);
      memset(is, '#', sizeof is);
      hf_hub_base64(data + sizeof data - len, len, is);
      plain_base64(data + sizeof data - len, len, want);
      ck_assert_mem_eq(is, want, n);
      ck_assert_int_eq(is[n], '#');
    }
  }
}
END_TEST

START_TEST(strings) {
  static const char *const texts[] = {"",       "plain", "a\"b",      "a\\b",         "\x01\x1f",         "\x7f",
                                      "\n\r\t", "/",     "\xc3\xa9x", "\xe2\x82\xac", "\xf0\x9f\xa4\x97", "-.~ "};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    struct hf_hub_line l = {0};
    ck_assert(hf_hub_line_string(&l, texts[i], false));
    json_t *back = json_loadb(l.text, l.len, JSON_DECODE_ANY, NULL);
    ck_assert_str_eq(json_string_value(back), texts[i]);
    json_decref(back);
    l.len = 0;
    ck_assert(hf_hub_line_string(&l, texts[i], true));
    for (size_t k = 0; k < l.len; k++) ck_assert((unsigned char)l.text[k] < 128);
    back = json_loadb(l.text, l.len, JSON_DECODE_ANY, NULL);
    ck_assert_str_eq(json_string_value(back), texts[i]);
    json_decref(back);
    free(l.text);
  }
  struct hf_hub_line l = {0};
  ck_assert(hf_hub_line_string(&l, "\xf0\x9f\xa4\x97", true));
  ck_assert_uint_eq(l.len, 14);
  ck_assert_mem_eq(l.text, "\"\\ud83e\\udd17\"", 14);
  ck_assert(!hf_hub_line_string(&l, "\xff", true));
  ck_assert(!hf_hub_line_string(&l, "\xff", false));
  free(l.text);
}
END_TEST

enum { CONTENTS = 4000 };

START_TEST(held_in_turn) {
  struct hf_hub_held *h = hf_hub_held_open();
  static uint8_t *at[CONTENTS];
  static size_t len[CONTENTS];
  uint32_t x = 7, first = 0, next = 0, refused = 0;
  ck_assert_ptr_nonnull(h);
  for (uint32_t step = 0; step < 60000; step++) {
    x = x * 1664525 + 1013904223;
    size_t size = (x >> 8) % 40000;
    at[next % CONTENTS] = next - first < CONTENTS ? hf_hub_held_take(h, size) : NULL;
    if (at[next % CONTENTS]) {
      memset(at[next % CONTENTS], (int)(next & 255), size);
      len[next++ % CONTENTS] = size;
      if ((x >> 28) < 13) continue;
    } else {
      refused++;
    }
    for (uint32_t n = 0; n < 3 && first < next; n++, first++) { /* as a commit does, in the order they came */
      const uint8_t *content = at[first % CONTENTS];
      size_t size_was = len[first % CONTENTS];
      for (size_t i = 0; i < size_was; i += 997) ck_assert_uint_eq(content[i], first & 255);
      if (size_was) ck_assert_uint_eq(content[size_was - 1], first & 255);
      hf_hub_held_give(h, content);
    }
  }
  ck_assert_uint_gt(next, 10000);
  ck_assert_uint_gt(refused, 0);
  for (; first < next; first++) hf_hub_held_give(h, at[first % CONTENTS]);
  ck_assert_ptr_null(hf_hub_held_take(h, (1 << 20) + 1));
  uint32_t all = 0;
  uint8_t *one, *last = NULL;
  while ((one = hf_hub_held_take(h, 1 << 20))) all++, last = one;
  ck_assert_uint_ge(all, 33); /* nothing was lost on the way */
  memset(last, 1, 1 << 20);
  ck_assert_ptr_null(hf_hub_held_take(h, 0));
  hf_hub_held_close(h);
}
END_TEST

START_TEST(held_none) {
  ck_assert_ptr_null(hf_hub_held_take(NULL, 5));
  hf_hub_held_close(NULL);
}
END_TEST

int main(void) {
  Suite *s = suite_create("hub_encode");
  TCase *t = tcase_create("encode");
  tcase_add_test(t, base64_of_every_length);
  tcase_add_test(t, strings);
  tcase_add_test(t, held_in_turn);
  tcase_add_test(t, held_none);
  suite_add_tcase(s, t);
  return unit_run(s);
}
