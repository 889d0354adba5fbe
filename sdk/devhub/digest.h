/* digest.h - the hashes of a Hub: SHA-256 of a content, SHA-1 of a git object, HMAC for signed URLs.
 * One `struct digest` computes both hashes of a blob in one pass.
 * Failures of the library are remembered and reported by dh_digest_end. */
#ifndef DEVHUB_DIGEST_H
#define DEVHUB_DIGEST_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct digest {
  void *sha256, *sha1; /* EVP_MD_CTX; sha1 only when a git object id is wanted */
  bool failed;
};

void dh_digest_begin(struct digest *d, const char *git_kind, uint64_t size); /* git_kind NULL: SHA-256 only */
void dh_digest_add(struct digest *d, const void *data, size_t size);
bool dh_digest_end(struct digest *d, char sha256[65], char oid[41]); /* oid empty if it was not wanted */
/* The same contexts for one content after the other: `again` begins, `take` answers and keeps them for the next. */
void dh_digest_again(struct digest *d, const char *git_kind, uint64_t size);
bool dh_digest_take(struct digest *d, char sha256[65], char oid[41]);
bool dh_git_oid(const char *kind, const void *data, size_t size, char oid[41]);
bool dh_sha256(const void *data, size_t size, char sha256[65]);
bool dh_hmac(const void *key, size_t key_size, const char *message, char hex[65]);
bool dh_random(void *data, size_t size);
uint32_t dh_crc32(uint32_t crc, const char *data, size_t size); /* of zlib; begins with 0 */

/* The pointer file git keeps for an LFS object; returns its size. */
int dh_lfs_pointer(char out[200], const char *sha256, uint64_t size);
#endif
