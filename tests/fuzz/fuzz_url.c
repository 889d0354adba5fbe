/* fuzz_url.c - URLs: parsing, resolving what a redirect names, rewrite rules there and back, origins, redaction.
 * Input: lines base URL, reference, rewrite rules.
 * What is accepted must be accepted again in its normal form and belong to its own origin. */
#include "fuzz.h"
#include "url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *text = fuzz_text(data, size), *rest = text;
  const char *base = fuzz_line(&rest), *ref = fuzz_line(&rest);
  hf_call *c = fuzz_call();
  struct hf_url u;
  struct url_pieces p;
  const char *why, *found = base && ref ? hf_url_resolve(c, base, ref) : NULL;
  if (found) {
    FUZZ_CHECK(url_split(found, &p) == NULL);
    FUZZ_CHECK(hf_url_same_origin(found, found));
    FUZZ_CHECK(strncmp(found, "http://", 7) == 0 || strncmp(found, "https://", 8) == 0);
    for (const char *s = found; *s; s++) FUZZ_CHECK((unsigned char)*s > 0x20 && *s != 0x7f);
  }
  if (base && hf_url_parse(c, base, &u) == HF_OK) FUZZ_CHECK(u.host[0] && u.port && hf_url_same_origin(base, base));
  if (base && ref) (void)hf_url_same_origin(base, ref);
  struct rewrite_rules *rules = rest ? rewrite_rules_read(rest, &why) : NULL;
  rewrite_rules_free(rules);
  if (base) (void)hf_url_quote(c, base, "/");
  hf_text_redact(text);
  hf_call_end(c);
  free(text);
  return 0;
}
