/* test_sse.c - server-sent events, cut at every byte: what arrives as events is the same however it was cut.
 * Line ends, joined data, BOM, names, what is no field; and that nothing larger than allowed is kept.
 * Events are written down as "name|data;" and compared. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inference/sse.h"

struct log {
  char text[4096];
  size_t len;
  uint32_t stop_after; /* 0: never */
};

static hf_status on_event(void *arg, const char *event, const char *data, size_t len) {
  struct log *l = arg;
  l->len += (size_t)snprintf(l->text + l->len, sizeof l->text - l->len, "%s|%.*s;", event, (int)len, data);
  return l->stop_after && --l->stop_after == 0 ? HF_PENDING : HF_OK;
}

/* Fed in pieces of `piece` bytes, each in memory of its own, so that reading past one is found. */
static const char *decode(const char *text, size_t len, size_t piece) {
  static struct log l;
  struct hf_sse s;
  memset(&l, 0, sizeof l);
  hf_sse_init(&s, 1000, on_event, &l);
  for (size_t at = 0; at < len; at += piece) {
    size_t n = len - at < piece ? len - at : piece;
    char *copy = malloc(n);
    memcpy(copy, text + at, n);
    ck_assert_int_eq(hf_sse_feed(&s, copy, n), HF_OK);
    free(copy);
  }
  ck_assert_int_eq(hf_sse_end(&s), HF_OK);
  hf_sse_free(&s);
  return l.text;
}

static const struct {
  const char *in, *out;
} rows[] = {
    {"data: a\n\ndata: b\n\n", "|a;|b;"},
    {"data: a\r\n\r\ndata: b\r\n\r\n", "|a;|b;"},
    {"data: a\r\rdata: b\r\r", "|a;|b;"},
    {"data: a\r\n\rdata: b\n\r\n", "|a;|b;"},
    {"data:a\n\ndata:  b\n\n", "|a;| b;"},
    {"data: a\ndata: b\n\n", "|a\nb;"},
    {"data: a\ndata:\ndata: b\n\n", "|a\n\nb;"},
    {"data:\n\n", "|;"},
    {"data\n\n", "|;"},
    {"\xef\xbb\xbf"
     "data: a\n\n",
     "|a;"},
    {"data: \xef\xbb\xbf\n\n", "|\xef\xbb\xbf;"},
    {": comment\nid: 7\nretry: 10\ndata: a\n\n", "|a;"},
    {"event: error\ndata: boom\n\ndata: next\n\n", "error|boom;|next;"},
    {"event: ping\n\ndata: a\n\n", "|a;"},
    {" data: a\n\n", ""},
    {"datax: a\ndata : b\nother\n\n", ""},
    {"data: a", "|a;"},
    {"data: a\n", "|a;"},
    {"\n\n\n", ""},
    {"data: \xe2\x80\xa8 \xc2\x85 \v\f\n\n", "|\xe2\x80\xa8 \xc2\x85 \v\f;"},
    {"data: [DONE]\n\n", "|[DONE];"},
    {"data: \xff\xfe\n\n", "|\xff\xfe;"},
};

START_TEST(is_the_same_however_it_is_cut) {
  size_t len = strlen(rows[_i].in);
  for (size_t piece = 1; piece <= len; piece++) ck_assert_str_eq(decode(rows[_i].in, len, piece), rows[_i].out);
}
END_TEST

START_TEST(nothing_larger_than_allowed_is_kept) {
  struct log l = {.len = 0};
  struct hf_sse s;
  char line[700];
  memset(line, 'x', sizeof line);
  memcpy(line, "data: ", 6);
  hf_sse_init(&s, 1000, on_event, &l);
  ck_assert_int_eq(hf_sse_feed(&s, line, sizeof line), HF_OK); /* one line that does not end */
  ck_assert_int_eq(hf_sse_feed(&s, line, sizeof line), HF_EPROTO);
  hf_sse_free(&s);
  hf_sse_init(&s, 1000, on_event, &l);
  line[sizeof line - 1] = '\n';
  ck_assert_int_eq(hf_sse_feed(&s, line, sizeof line), HF_OK); /* one event of many lines */
  ck_assert_int_eq(hf_sse_feed(&s, line, sizeof line), HF_EPROTO);
  hf_sse_free(&s);
  ck_assert_uint_eq(l.len, 0);
}
END_TEST

START_TEST(the_listener_ends_it) {
  static const char text[] = "data: a\n\ndata: b\n\ndata: c\n\n";
  struct log l = {.stop_after = 2};
  struct hf_sse s;
  hf_sse_init(&s, 1000, on_event, &l);
  ck_assert_int_eq(hf_sse_feed(&s, text, sizeof text - 1), HF_PENDING);
  ck_assert_str_eq(l.text, "|a;|b;");
  hf_sse_free(&s);
}
END_TEST

int main(void) {
  Suite *s = suite_create("sse");
  TCase *t = tcase_create("sse");
  tcase_add_loop_test(t, is_the_same_however_it_is_cut, 0, (int)(sizeof rows / sizeof rows[0]));
  tcase_add_test(t, nothing_larger_than_allowed_is_kept);
  tcase_add_test(t, the_listener_ends_it);
  suite_add_tcase(s, t);
  SRunner *r = srunner_create(s);
  srunner_run_all(r, CK_ENV);
  int failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
