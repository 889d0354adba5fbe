/* digest.c - digests by libcrypto (which uses the processor's SHA instructions) and its random numbers.
 * SHA-256 of the content; git's blob hash: SHA-1 of "blob SIZE\0" and the content, so the size comes first.
 * Algorithms are fetched once: looking them up costs more than hashing a small file. */
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "stack.h"

static struct {
  pthread_once_t once;
  EVP_MD *sha256, *sha1;
} algos = {.once = PTHREAD_ONCE_INIT};

static void fetch_algos(void) {
  algos.sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
  algos.sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
}

struct running {
  EVP_MD_CTX *ctx;
  uint32_t algo;
  bool broken;
};

hf_status digest_new(uint32_t algo, uint64_t size, void **out) {
  *out = NULL;
  pthread_once(&algos.once, fetch_algos);
  const EVP_MD *md = algo == HF_DIGEST_SHA256 ? algos.sha256 : algo == HF_DIGEST_GIT_BLOB ? algos.sha1 : NULL;
  if (md == NULL) return HF_ENOSYS;
  if (algo == HF_DIGEST_GIT_BLOB && size == HF_SIZE_UNKNOWN) return HF_EINVAL;
  struct running *r = calloc(1, sizeof(*r));
  if (r == NULL) return HF_ENOMEM;
  r->algo = algo;
  r->ctx = EVP_MD_CTX_new();
  if (r->ctx == NULL || EVP_DigestInit_ex2(r->ctx, md, NULL) != 1) {
    digest_end(r, NULL);
    return HF_ENOMEM;
  }
  if (algo == HF_DIGEST_GIT_BLOB) {
    char head[40];
    int n = snprintf(head, sizeof(head), "blob %llu", (unsigned long long)size);
    digest_add(r, head, (size_t)n + 1);
  }
  *out = r;
  return HF_OK;
}

void digest_add(void *d, const void *data, size_t len) {
  struct running *r = d;
  if (len > 0 && EVP_DigestUpdate(r->ctx, data, len) != 1) r->broken = true;
}

void digest_end(void *d, struct hf_digest *out) {
  struct running *r = d;
  if (r == NULL) return;
  if (out != NULL) {
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned int n = 0;
    memset(out, 0, sizeof(*out));
    if (!r->broken && EVP_DigestFinal_ex(r->ctx, bytes, &n) == 1 && n <= sizeof(out->bytes)) {
      out->algo = r->algo;
      out->len = n;
      memcpy(out->bytes, bytes, n);
    }
  }
  EVP_MD_CTX_free(r->ctx);
  free(r);
}

uint32_t random32(void) {
  uint32_t v = 0;
  if (RAND_bytes((unsigned char *)&v, sizeof(v)) == 1) return v;
  if (getrandom(&v, sizeof(v), GRND_NONBLOCK) == (ssize_t)sizeof(v)) return v;
  return (uint32_t)(stack_now_ns() * 2654435761u >> 7);
}
