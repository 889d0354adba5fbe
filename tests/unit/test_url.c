/* Tests of url.c and rewrite.c: what is and is not a URL, origins, references, quoting, and where rules lead.
 * Rules come from HF_URL_REWRITE, as they do for everybody.
 * Each row of a table is one input and what must come out of it. */
#include <check.h>
#include <core.h>
#include <stdlib.h>

static hf_runtime *rt;
static hf_call *call;

static void open_call(const char *rewrite) {
  struct hf_kv rows[] = {{"HF_URL_REWRITE", rewrite}};
  struct hf_runtime_opts opts = {.struct_size = sizeof(opts), .flags = HF_RT_NO_CONFIG_FILE | HF_RT_NO_PLUGINS};
  if (rewrite != NULL) opts.settings = (struct hf_table)HF_TABLE(rows);
  ck_assert_int_eq(hf_runtime_new(&opts, &rt), HF_OK);
  ck_assert_int_eq(hf_call_begin(rt, &call), HF_OK);
}

static void setup(void) {
  open_call(NULL);
}

static void teardown(void) {
  hf_call_end(call);
  hf_runtime_free(rt);
}

static const struct {
  const char *url, *scheme, *user, *host, *path;
  uint16_t port;
} good[] = {
    {"https://hub.example/a/b?c=d#e", "https", NULL, "hub.example", "/a/b?c=d", 443},
    {"HTTP://Hub.Example:8080", "http", NULL, "hub.example", "/", 8080},
    {"http://127.0.0.1:1/x", "http", NULL, "127.0.0.1", "/x", 1},
    {"https://[::1]:9/x", "https", NULL, "::1", "/x", 9},
    {"https://h:/x", "https", NULL, "h", "/x", 443},
    {"https://me:pw@h/x", "https", "me:pw", "h", "/x", 443},
    {"https://h?q", "https", NULL, "h", "/?q", 443},
    {"https://b\xc3\xbc"
     "cher.example/",
     "https", NULL,
     "b\xc3\xbc"
     "cher.example",
     "/", 443},
    {"http://h/a@b:c", "http", NULL, "h", "/a@b:c", 80},
};

START_TEST(reads_good_urls) {
  struct hf_url u;
  ck_assert_int_eq(hf_url_parse(call, good[_i].url, &u), HF_OK);
  ck_assert_str_eq(u.scheme, good[_i].scheme);
  ck_assert_pstr_eq(u.user, good[_i].user);
  ck_assert_str_eq(u.host, good[_i].host);
  ck_assert_str_eq(u.path, good[_i].path);
  ck_assert_uint_eq(u.port, good[_i].port);
}
END_TEST

static const char *const bad[] = {
    "",
    "h/x",
    "ftp://h/",
    "https:/h",
    "https://",
    "https:///x",
    "https://h:0/",
    "https://h:65536/",
    "https://h:8x/",
    "https://h:99999999999/",
    "https://a b/",
    "https://h/a b",
    "https://h/a\nb",
    "https://h/\x7f",
    "https://a@b@c/",
    "https://h\\@evil/",
    "https://[::1/",
    "https://[::1]x/",
    "https://[fe80::1%25eth0]/",
    "https://[]/",
    "https://h<x>/",
    "https://h%41/",
    "file:///etc/passwd",
    "//h/x",
    "https://:80/",
};

START_TEST(refuses_bad_urls) {
  struct hf_url u;
  ck_assert_int_eq(hf_url_parse(call, bad[_i], &u), HF_EINVAL);
  ck_assert_ptr_nonnull(strstr(hf_call_error(call)->message, "URL"));
}
END_TEST

START_TEST(refuses_endless_url) {
  char *url = malloc(70000);
  struct hf_url u;
  memset(url, 'a', 69999);
  memcpy(url, "http://h/", 9);
  url[69999] = '\0';
  ck_assert_int_eq(hf_url_parse(call, url, &u), HF_EINVAL);
  free(url);
}
END_TEST

START_TEST(hides_passwords_in_errors) {
  struct hf_url u;
  ck_assert_int_eq(hf_url_parse(call, "https://me:secretpw@h:0/?token=hf_abcdefghijklmnop", &u), HF_EINVAL);
  ck_assert_ptr_null(strstr(hf_call_error(call)->message, "secretpw"));
  ck_assert_ptr_null(strstr(hf_call_error(call)->message, "hf_abcdefghijklmnop"));
}
END_TEST

static const struct {
  const char *a, *b;
  int same;
} origins[] = {
    {"https://h/a", "https://h:443/b", 1},
    {"https://h/", "http://h/", 0},
    {"https://h/", "https://h:444/", 0},
    {"https://H/", "https://h/", 1},
    {"https://h/", "https://h.evil/", 0},
    {"https://u@h/", "https://h/", 1},
    {"https://[::1]/", "https://[::1]:443/", 1},
    {NULL, "https://h/", 0},
    {"x", "x", 0},
    {"http://h", "http://h:80", 1},
};

START_TEST(compares_origins) {
  ck_assert_int_eq(hf_url_same_origin(origins[_i].a, origins[_i].b), origins[_i].same);
}
END_TEST

/* The examples of RFC 3986, 5.4, where they are http, and some of ours. */
static const struct {
  const char *base, *ref, *is;
} refs[] = {
    {"http://a/b/c/d;p?q", "g", "http://a/b/c/g"},
    {"http://a/b/c/d;p?q", "./g", "http://a/b/c/g"},
    {"http://a/b/c/d;p?q", "g/", "http://a/b/c/g/"},
    {"http://a/b/c/d;p?q", "/g", "http://a/g"},
    {"http://a/b/c/d;p?q", "//g", "http://g/"},
    {"http://a/b/c/d;p?q", "?y", "http://a/b/c/d;p?y"},
    {"http://a/b/c/d;p?q", "g?y", "http://a/b/c/g?y"},
    {"http://a/b/c/d;p?q", "#s", "http://a/b/c/d;p?q"},
    {"http://a/b/c/d;p?q", "", "http://a/b/c/d;p?q"},
    {"http://a/b/c/d;p?q", ".", "http://a/b/c/"},
    {"http://a/b/c/d;p?q", "..", "http://a/b/"},
    {"http://a/b/c/d;p?q", "../..", "http://a/"},
    {"http://a/b/c/d;p?q", "../../../g", "http://a/g"},
    {"http://a/b/c/d;p?q", "/./g", "http://a/g"},
    {"http://a/b/c/d;p?q", "g.", "http://a/b/c/g."},
    {"http://a/b/c/d;p?q", "g?y/../x", "http://a/b/c/g?y/../x"},
    {"http://a/b/c/d;p?q", "./../g", "http://a/b/g"},
    {"http://a/b/c/d;p?q", "g;x=1/../y", "http://a/b/c/y"},
    {"https://h", "x", "https://h/x"},
    {"https://h/a/", "HTTPS://Other:443/p q", "https://other/p%20q"},
    {"https://h/a?b=c", " /d ", "https://h/d"},
    {"https://h/a", "https://h/\xc3\xa4?\xc3\xb6", "https://h/%C3%A4?%C3%B6"},
    {"https://u:p@h/a", "b", "https://u:p@h/b"},
    {"https://h:8443/a", "?x", "https://h:8443/a?x"},
    {"https://h/a", "b:c", NULL},
    {"https://h/a", "javascript:alert(1)", NULL},
    {"https://h/a", "//", NULL},
    {"https://h/a", "https://", NULL},
    {"https://h/a", "/x\r\nSet-Cookie: a", NULL},
    {"nonsense", "/x", NULL},
};

START_TEST(resolves_references) {
  ck_assert_pstr_eq(hf_url_resolve(call, refs[_i].base, refs[_i].ref), refs[_i].is);
  if (refs[_i].is == NULL) ck_assert_int_eq(hf_call_error(call)->code, HF_EINVAL);
}
END_TEST

START_TEST(quotes) {
  ck_assert_str_eq(hf_url_quote(call, "dev/x y", NULL), "dev%2Fx%20y");
  ck_assert_str_eq(hf_url_quote(call, "a/b~c-d_e.f", "/"), "a/b~c-d_e.f");
  ck_assert_str_eq(hf_url_quote(call, "\xc3\xa4%", ""), "%C3%A4%25");
  ck_assert_str_eq(hf_url_quote(call, "", ""), "");
}
END_TEST

static const struct {
  const char *rules, *logical, *physical;
  bool consent;
} rewrites[] = {
    {"https://a.example/=http://127.0.0.1:1/", "https://a.example/x?y", "http://127.0.0.1:1/x?y", false},
    {"https://a.example=http://127.0.0.1:1", "https://a.example/x", "http://127.0.0.1:1/x", false},
    {"https://a.example=http://b/", "https://a.example.evil/x", "https://a.example.evil/x", false},
    {"https://a.example/=http://b/", "https://A.Example:443/x", "http://b/x", false},
    {"https://a/=http://one/;https://a/x/=http://two/", "https://a/x/y", "http://two/y", false},
    {"https://a/x=http://two/", "https://a/xy", "https://a/xy", false},
    {"https://a/x=http://two/z", "https://a/x/y", "http://two/z/y", false},
    {"https://a/x/=http://two/z", "https://a/x/y", "http://two/z/y", false},
    {"https://a/=!http://b/", "https://a/x", "http://b/x", true},
    {"https://a/?k=v=http://b/", "https://a/?k=v", "http://b/", false},
    {"https://a/p%3Bq/=http://b/", "https://a/p;q/x", "http://b/x", false},
    {" https://a/=http://b/ ; ; ", "https://a/", "http://b/", false},
    {"https://a/=http://b/;http://b/=http://c/", "https://a/x", "http://b/x", false},
    {"", "https://a/x", "https://a/x", false},
};

START_TEST(rewrites_once_longest_first) {
  bool consent = !rewrites[_i].consent;
  open_call(rewrites[_i].rules);
  ck_assert_pstr_eq(hf_url_rewrite(call, rewrites[_i].logical, &consent), rewrites[_i].physical);
  ck_assert_int_eq(consent, rewrites[_i].consent);
  teardown();
}
END_TEST

START_TEST(maps_back) {
  open_call("https://hub/=http://127.0.0.1:1/;https://cdn/=http://me:pw@127.0.0.1:2/c/");
  ck_assert_str_eq(hf_url_unrewrite(call, "http://127.0.0.1:1/x"), "https://hub/x");
  ck_assert_str_eq(hf_url_unrewrite(call, "http://127.0.0.1:2/c/x"), "https://cdn/x");
  ck_assert_str_eq(hf_url_unrewrite(call, "http://127.0.0.1:2/d"), "http://127.0.0.1:2/d");
  ck_assert_str_eq(hf_url_unrewrite(call, "http://127.0.0.1:11/x"), "http://127.0.0.1:11/x");
  teardown();
}
END_TEST

static const char *const bad_rules[] = {"https://a/",         "https://a/=b", "=http://b/",
                                        "https://a/=http://", "a=http://b/",  "https://a/=http://b/;junk"};

START_TEST(refuses_bad_rules) {
  bool consent;
  open_call(bad_rules[_i]);
  ck_assert_ptr_null(hf_url_rewrite(call, "https://z/", &consent));
  ck_assert_int_eq(hf_call_error(call)->code, HF_EINVAL);
  ck_assert_ptr_nonnull(strstr(hf_call_error(call)->message, "HF_URL_REWRITE"));
  teardown();
}
END_TEST

int main(void) {
  Suite *s = suite_create("url");
  TCase *t = tcase_create("url");
  tcase_add_checked_fixture(t, setup, teardown);
  tcase_add_loop_test(t, reads_good_urls, 0, HF_COUNT(good));
  tcase_add_loop_test(t, refuses_bad_urls, 0, HF_COUNT(bad));
  tcase_add_test(t, refuses_endless_url);
  tcase_add_test(t, hides_passwords_in_errors);
  tcase_add_loop_test(t, compares_origins, 0, HF_COUNT(origins));
  tcase_add_loop_test(t, resolves_references, 0, HF_COUNT(refs));
  tcase_add_test(t, quotes);
  suite_add_tcase(s, t);
  TCase *r = tcase_create("rewrite");
  tcase_add_loop_test(r, rewrites_once_longest_first, 0, HF_COUNT(rewrites));
  tcase_add_test(r, maps_back);
  tcase_add_loop_test(r, refuses_bad_rules, 0, HF_COUNT(bad_rules));
  suite_add_tcase(s, r);
  SRunner *runner = srunner_create(s);
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed != 0;
}
