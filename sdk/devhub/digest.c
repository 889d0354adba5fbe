/* digest.c - libcrypto behind digest.h.
 * Hash algorithms are fetched once per context by EVP_DigestInit_ex; contexts are freed by dh_digest_end.
 * Git object ids are the SHA-1 of "KIND SIZE\0" and the content. */
#include "digest.h"
#include "text.h"
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

static bool restart(void **context, const EVP_MD *kind) {
  if (*context) return EVP_DigestInit_ex(*context, NULL, NULL) == 1;
  *context = EVP_MD_CTX_new();
  return *context && EVP_DigestInit_ex(*context, kind, NULL) == 1;
}

void dh_digest_again(struct digest *d, const char *git_kind, uint64_t size) {
  char head[64];
  if (!restart(&d->sha256, EVP_sha256())) d->failed = true;
  if (!git_kind) return;
  int n = snprintf(head, sizeof head, "%s %llu", git_kind, (unsigned long long)size);
  if (!restart(&d->sha1, EVP_sha1()) || EVP_DigestUpdate(d->sha1, head, (size_t)n + 1) != 1) d->failed = true;
}

void dh_digest_begin(struct digest *d, const char *git_kind, uint64_t size) {
  *d = (struct digest){0};
  dh_digest_again(d, git_kind, size);
}

void dh_digest_add(struct digest *d, const void *data, size_t size) {
  if (d->failed) return;
  if (EVP_DigestUpdate(d->sha256, data, size) != 1) d->failed = true;
  if (d->sha1 && EVP_DigestUpdate(d->sha1, data, size) != 1) d->failed = true;
}

bool dh_digest_take(struct digest *d, char sha256[65], char oid[41]) {
  unsigned char hash[EVP_MAX_MD_SIZE];
  sha256[0] = oid[0] = 0;
  if (!d->failed && EVP_DigestFinal_ex(d->sha256, hash, NULL) != 1) d->failed = true;
  if (!d->failed) dh_hex(sha256, hash, 32);
  if (!d->failed && d->sha1) {
    if (EVP_DigestFinal_ex(d->sha1, hash, NULL) != 1) d->failed = true;
    if (!d->failed) dh_hex(oid, hash, 20);
  }
  return !d->failed;
}

bool dh_digest_end(struct digest *d, char sha256[65], char oid[41]) {
  bool ok = dh_digest_take(d, sha256, oid);
  EVP_MD_CTX_free(d->sha256);
  EVP_MD_CTX_free(d->sha1);
  d->sha256 = d->sha1 = NULL;
  return ok;
}

bool dh_git_oid(const char *kind, const void *data, size_t size, char oid[41]) {
  struct digest d;
  char sha256[65];
  dh_digest_begin(&d, kind, size);
  dh_digest_add(&d, data, size);
  return dh_digest_end(&d, sha256, oid);
}

bool dh_sha256(const void *data, size_t size, char sha256[65]) {
  struct digest d;
  char oid[41];
  dh_digest_begin(&d, NULL, size);
  dh_digest_add(&d, data, size);
  return dh_digest_end(&d, sha256, oid);
}

bool dh_hmac(const void *key, size_t key_size, const char *message, char hex[65]) {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned int n = 0;
  if (!HMAC(EVP_sha256(), key, (int)key_size, (const unsigned char *)message, strlen(message), out, &n) || n != 32)
    return false;
  dh_hex(hex, out, 32);
  return true;
}

bool dh_random(void *data, size_t size) {
  return RAND_bytes(data, (int)size) == 1;
}

int dh_lfs_pointer(char out[200], const char *sha256, uint64_t size) {
  return snprintf(out, 200, "version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %llu\n", sha256,
                  (unsigned long long)size);
}

uint32_t dh_crc32(uint32_t crc, const char *data, size_t size) {
  crc = ~crc;
  for (size_t i = 0; i < size; i++) {
    crc ^= (unsigned char)data[i];
    for (int k = 0; k < 8; k++) crc = (crc >> 1) ^ (0xedb88320u & (0u - (crc & 1)));
  }
  return ~crc;
}
