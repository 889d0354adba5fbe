/* crc64.c - CRC-64/NVME by sixteen tables, sixteen bytes a step.
 * The polynomial in reflected form is 9a6c9329ac4bc9b5.
 * Tables are made on first use. */
#include "crc64.h"
#include <pthread.h>
#include <string.h>

static uint64_t table[16][256];
static pthread_once_t made = PTHREAD_ONCE_INIT;

static void make(void) {
  for (unsigned i = 0; i < 256; i++) {
    uint64_t v = i;
    for (int k = 0; k < 8; k++) v = v & 1 ? v >> 1 ^ UINT64_C(0x9a6c9329ac4bc9b5) : v >> 1;
    table[0][i] = v;
  }
  for (unsigned t = 1; t < 16; t++)
    for (unsigned i = 0; i < 256; i++) table[t][i] = table[t - 1][i] >> 8 ^ table[0][table[t - 1][i] & 255];
}

static uint64_t word(const uint8_t *p) {
  uint64_t w = 0;
  for (int i = 7; i >= 0; i--) w = w << 8 | p[i];
  return w;
}

uint64_t xet_crc64(uint64_t before, const void *data, size_t len) {
  const uint8_t *p = data;
  uint64_t v = ~before;
  pthread_once(&made, make);
  for (; len >= 16; p += 16, len -= 16) {
    uint64_t a = v ^ word(p), b = word(p + 8), sum = 0;
    for (unsigned i = 0; i < 8; i++) sum ^= table[15 - i][a >> (8 * i) & 255] ^ table[7 - i][b >> (8 * i) & 255];
    v = sum;
  }
  while (len--) v = v >> 8 ^ table[0][(v ^ *p++) & 255];
  return ~v;
}
