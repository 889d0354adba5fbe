/* bytes.c - content that can be checked at any offset without keeping it, and what a folder looks like.
 * Small things that every rule needs.
 */
#include "bench.h"

#include <dirent.h>
#include <sys/stat.h>
#include <time.h>

static uint8_t byte_at(uint64_t off, uint64_t seed) {
  uint64_t x = (off >> 3) * UINT64_C(0x9e3779b97f4a7c15) + seed;
  x ^= x >> 29;
  x *= UINT64_C(0xbf58476d1ce4e5b9);
  return (uint8_t)(x >> (8 * (off & 7)));
}

void fill(void *buf, size_t len, uint64_t off, uint64_t seed) {
  for (size_t i = 0; i < len; i++) ((uint8_t *)buf)[i] = byte_at(off + i, seed);
}

bool same(const void *buf, size_t len, uint64_t off, uint64_t seed) {
  for (size_t i = 0; i < len; i++)
    if (((const uint8_t *)buf)[i] != byte_at(off + i, seed)) return false;
  return true;
}

uint64_t now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void hex(char *out, const uint8_t *bytes, size_t n) {
  static const char digits[] = "0123456789abcdef";
  for (size_t i = 0; i < n; i++) {
    out[2 * i] = digits[bytes[i] >> 4];
    out[2 * i + 1] = digits[bytes[i] & 15];
  }
  out[2 * n] = 0;
}

static void mix(uint64_t *sum, const void *data, size_t len) {
  for (size_t i = 0; i < len; i++) *sum = (*sum ^ ((const uint8_t *)data)[i]) * UINT64_C(0x100000001b3);
}

static uint64_t look(const char *folder, int depth) {
  uint64_t all = 0;
  DIR *d = depth < 12 ? opendir(folder) : NULL;
  if (!d) return 0;
  for (struct dirent *e; (e = readdir(d));) {
    char path[4096];
    struct stat st;
    if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
    if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, e->d_name) >= sizeof path || lstat(path, &st)) continue;
    uint64_t one = UINT64_C(0xcbf29ce484222325);
    mix(&one, e->d_name, strlen(e->d_name));
    mix(&one, &st.st_mode, sizeof st.st_mode);
    mix(&one, &st.st_mtim, sizeof st.st_mtim);
    if (S_ISREG(st.st_mode)) mix(&one, &st.st_size, sizeof st.st_size);
    if (S_ISDIR(st.st_mode)) one += look(path, depth + 1) * 31;
    all += one; /* the order of a folder means nothing */
  }
  closedir(d);
  return all;
}

uint64_t picture(const char *folder) {
  return look(folder, 0);
}
