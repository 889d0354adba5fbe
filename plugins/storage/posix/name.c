/* name.c - the words that paths in a store are made of: digests, etags as file names, relative paths.
 * An etag comes from a server: it becomes a file name only when it can be nothing else.
 * The cache directory tag is the one that the reference client writes, byte for byte. */
#include "posix.h"
#include <string.h>

const char hf_cachedir_tag[] =
    "Signature: 8a477f597d28d172789f06886806bc55\n"
    "# This file is a cache directory tag created by huggingface_hub.\n"
    "# For information about cache directory tags, see:\n"
    "#\thttps://bford.info/cachedir/\n";

static bool is_hex(char ch) {
  return (ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'f');
}

bool hf_hex_is(const char *s, size_t digits) {
  if (!s || strnlen(s, digits + 1) != digits) return false;
  for (size_t i = 0; i < digits; i++)
    if (!is_hex(s[i])) return false;
  return true;
}

bool hf_path_safe(const char *p) {
  if (!p || !*p || *p == '/' || strnlen(p, HF_PATH_ROOM) >= HF_PATH_ROOM) return false;
  for (const char *end; p; p = end ? end + 1 : NULL) {
    end = strchr(p, '/');
    size_t n = end ? (size_t)(end - p) : strlen(p);
    if (n == 0 || (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.')) return false;
  }
  return true;
}

void hf_hex_write(char *out, const uint8_t *bytes, size_t n) {
  for (size_t i = 0; i < n; i++) {
    out[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
    out[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
  }
  out[2 * n] = 0;
}

hf_status hf_sha256_hex(hf_call *c, const void *data, size_t len, char out[65]) {
  hf_digester *d;
  struct hf_digest is = {0};
  TRY(H->digest_new(c, HF_DIGEST_SHA256, len, &d));
  H->digest_add(d, data, len);
  H->digest_end(d, &is);
  hf_hex_write(out, is.bytes, 32);
  return HF_OK;
}

static bool ends_with(const char *s, size_t n, const char *end) {
  size_t m = strlen(end);
  return n >= m && !memcmp(s + n - m, end, m);
}

static bool etag_harmless(const char *etag) {
  size_t n = strnlen(etag, 201);
  if (n == 0 || n > 200 || etag[0] == '.') return false;
  for (size_t i = 0; i < n; i++)
    if ((unsigned char)etag[i] <= ' ' || (unsigned char)etag[i] >= 0x7f || strchr("/\\:*?\"<>|", etag[i])) return false;
  return !ends_with(etag, n, ".incomplete") && !ends_with(etag, n, ".lock") && !ends_with(etag, n, ".libhf");
}

hf_status hf_etag_name(hf_call *c, const char *etag, char *out) {
  if (!etag || !*etag) return H->failf(c, HF_EINVAL, "A file without an etag cannot be stored by content.");
  if (etag_harmless(etag)) {
    memcpy(out, etag, strlen(etag) + 1);
    return HF_OK;
  }
  char hex[65];
  TRY(hf_sha256_hex(c, etag, strlen(etag), hex));
  hf_format(out, HF_NAME_ROOM, "etag-%s", hex);
  return HF_OK;
}
