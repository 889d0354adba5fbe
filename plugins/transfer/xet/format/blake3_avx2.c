/* blake3_avx2.c - BLAKE3 for 8 lanes with AVX2. Jobs of equal length run in one text of instructions: 16 registers hold the state
 * but one word, the message and the masks are operands in memory, and the last register is what shifts need. Meanwhile plain
 * moves, which need none of that, lay out the words of the next block. Rotations by 16 and 8 are byte shuffles, by 12 and 7
 * shifts. Compiled for any x86-64; used where the processor says so. */
#include "blake3.h"
#include "cpu.h"
#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#include <stddef.h>
#include <string.h>
#define TARGET __attribute__((target("avx2")))
#define INLINE TARGET static inline __attribute__((always_inline))
#define L      8
typedef __m256i V;
#define ADD(a, b)  _mm256_add_epi32(a, b)
#define XOR(a, b)  _mm256_xor_si256(a, b)
#define AND(a, b)  _mm256_and_si256(a, b)
#define SET1(x)    _mm256_set1_epi32((int)(x))
#define LOADU(p)   _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define KEEP(p, x) _mm256_store_si256((__m256i *)(void *)(p), x)
#define ROR_16(x)  _mm256_shuffle_epi8(x, LOADU(turn16))
#define ROR_8(x)   _mm256_shuffle_epi8(x, LOADU(turn8))
#define ROR_12(x)  _mm256_or_si256(_mm256_srli_epi32(x, 12), _mm256_slli_epi32(x, 20))
#define ROR_7(x)   _mm256_or_si256(_mm256_srli_epi32(x, 7), _mm256_slli_epi32(x, 25))
#define ROR(x, n)  ROR_##n(x)
static const uint8_t turn16[32] = {2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13,
                                   2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13};
static const uint8_t turn8[32] = {1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12,
                                  1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12};

INLINE void transpose8(V r[8]) {
  V a0 = _mm256_unpacklo_epi32(r[0], r[1]), a1 = _mm256_unpackhi_epi32(r[0], r[1]);
  V a2 = _mm256_unpacklo_epi32(r[2], r[3]), a3 = _mm256_unpackhi_epi32(r[2], r[3]);
  V a4 = _mm256_unpacklo_epi32(r[4], r[5]), a5 = _mm256_unpackhi_epi32(r[4], r[5]);
  V a6 = _mm256_unpacklo_epi32(r[6], r[7]), a7 = _mm256_unpackhi_epi32(r[6], r[7]);
  V b0 = _mm256_unpacklo_epi64(a0, a2), b1 = _mm256_unpackhi_epi64(a0, a2);
  V b2 = _mm256_unpacklo_epi64(a1, a3), b3 = _mm256_unpackhi_epi64(a1, a3);
  V b4 = _mm256_unpacklo_epi64(a4, a6), b5 = _mm256_unpackhi_epi64(a4, a6);
  V b6 = _mm256_unpacklo_epi64(a5, a7), b7 = _mm256_unpackhi_epi64(a5, a7);
  r[0] = _mm256_permute2x128_si256(b0, b4, 0x20);
  r[1] = _mm256_permute2x128_si256(b1, b5, 0x20);
  r[2] = _mm256_permute2x128_si256(b2, b6, 0x20);
  r[3] = _mm256_permute2x128_si256(b3, b7, 0x20);
  r[4] = _mm256_permute2x128_si256(b0, b4, 0x31);
  r[5] = _mm256_permute2x128_si256(b1, b5, 0x31);
  r[6] = _mm256_permute2x128_si256(b2, b6, 0x31);
  r[7] = _mm256_permute2x128_si256(b3, b7, 0x31);
}
/* Rows i and i + 4 come in as halves of one register, which spares the exchange of halves. */
INLINE V two_rows(const uint8_t *low, const uint8_t *high) {
  V r = _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)low));
  return _mm256_inserti128_si256(r, _mm_loadu_si128((const __m128i *)(const void *)high), 1);
}
INLINE void b3_transpose_in(const uint8_t *const at[L], V m[16]) {
  for (int q = 0; q < 4; q++) {
    V r0 = two_rows(at[0] + 16 * q, at[4] + 16 * q), r1 = two_rows(at[1] + 16 * q, at[5] + 16 * q);
    V r2 = two_rows(at[2] + 16 * q, at[6] + 16 * q), r3 = two_rows(at[3] + 16 * q, at[7] + 16 * q);
    V a = _mm256_unpacklo_epi32(r0, r1), b = _mm256_unpackhi_epi32(r0, r1);
    V c = _mm256_unpacklo_epi32(r2, r3), d = _mm256_unpackhi_epi32(r2, r3);
    m[4 * q] = _mm256_unpacklo_epi64(a, c);
    m[4 * q + 1] = _mm256_unpackhi_epi64(a, c);
    m[4 * q + 2] = _mm256_unpacklo_epi64(b, d);
    m[4 * q + 3] = _mm256_unpackhi_epi64(b, d);
  }
}
INLINE void b3_out(V h[8], const struct b3_job *jobs) {
  transpose8(h);
  for (int i = 0; i < 8; i++) _mm256_storeu_si256((__m256i *)(void *)jobs[i].out, h[i]);
}
#include "blake3_lanes.h" /* the ragged path */

/* ---- whole blocks ---- */

struct work {
  uint32_t m[2][16][L]; /* of this block and the next: words of all lanes */
  uint32_t h[8][L];
  uint8_t mask[2][32];                 /* what rotates by 16 and by 8 */
  uint32_t c0[L];                      /* the word of the state that has no register */
  uint32_t counter[2][L], flags[3][L]; /* halves; of the first, a middle and the last block */
  uint32_t iv[4], len[4];
  const uint8_t *rows[L]; /* where the lanes' bytes come from */
} __attribute__((aligned(64)));

#define AT_H       "1024"
#define AT_MASK    "1280"
#define AT_C0      "1344"
#define AT_COUNTER "1376"
#define AT_FLAGS   "1440"
#define AT_IV      "1536"
#define AT_LEN     "1552"
#define AT_ROWS    "1568"
_Static_assert(offsetof(struct work, h) == 1024 && offsetof(struct work, mask) == 1280 &&
                   offsetof(struct work, c0) == 1344 && offsetof(struct work, counter) == 1376 &&
                   offsetof(struct work, flags) == 1440 && offsetof(struct work, iv) == 1536 &&
                   offsetof(struct work, len) == 1552 && offsetof(struct work, rows) == 1568,
               "the text below counts on it");

/* One lane's words of the block at off go to their places; memory is asked for what the lanes after next read. */
#define MOVE(i)                                          \
  "mov 8*" #i "(%[p],%[off]), %[t]\n\tmov %k[t], 64*" #i \
  "(%[to])\n\t"                                          \
  "shr $32, %[t]\n\tmov %k[t], 64*" #i "+32(%[to])\n\t"
#define ROW                                                                        \
  "mov (%[row]), %[p]\n\t" MOVE(0) MOVE(1) MOVE(2) MOVE(3) MOVE(4) MOVE(5) MOVE(6) \
      MOVE(7) "prefetcht0 (%[p],%[ahead])\n\tadd $8, %[row]\n\tadd $4, %[to]\n\t"

/* The rounds: a0-a3 are ymm0-3, b ymm4-7, c ymm8-11, d ymm12-15; ymm8 is scratch while c0 is in memory. */
#define OP(op, from, to) op " %%ymm" #from ", %%ymm" #to ", %%ymm" #to "\n\t"
#define MESSAGE(i, to)   "vpaddd 32*" #i "(%[m]), %%ymm" #to ", %%ymm" #to "\n\t"
#define TURN(mask, to)   "vpshufb " AT_MASK "+" mask "(%[w]), %%ymm" #to ", %%ymm" #to "\n\t"
#define SHIFT(r, l, to)                                                             \
  "vpsrld $" #r ", %%ymm" #to ", %%ymm8\n\tvpslld $" #l ", %%ymm" #to ", %%ymm" #to \
  "\n\t"                                                                            \
  "vpor %%ymm8, %%ymm" #to ", %%ymm" #to "\n\t"
#define FIRST_C(d)   "vpaddd " AT_C0 "(%[w]), %%ymm" #d ", %%ymm8\n\t"
#define FIRST_C_KEEP "vmovdqa %%ymm8, " AT_C0 "(%[w])\n\t"
#define HALF(x0, x1, x2, x3, b0, b1, b2, b3, sum0, c0, sum1, c1, sum2, c2, sum3, c3, d0, d1, d2, d3, mask, r, l)    \
  MESSAGE(x0, 0)                                                                                                    \
  MESSAGE(x1, 1)                                                                                                    \
  MESSAGE(x2, 2)                                                                                                    \
  MESSAGE(x3, 3) OP("vpaddd", b0, 0) OP("vpaddd", b1, 1) OP("vpaddd", b2, 2) OP("vpaddd", b3, 3) OP("vpxor", 0, d0) \
      OP("vpxor", 1, d1) OP("vpxor", 2, d2) OP("vpxor", 3, d3) TURN(mask, d0) TURN(mask, d1) TURN(mask, d2)         \
          TURN(mask, d3) sum0 sum1 sum2 sum3 OP("vpxor", c0, b0) OP("vpxor", c1, b1) OP("vpxor", c2, b2)            \
              OP("vpxor", c3, b3) FIRST_C_KEEP                                                                      \
              SHIFT(r, l, b0) SHIFT(r, l, b1) SHIFT(r, l, b2) SHIFT(r, l, b3)
#define COLUMNS(x0, x1, x2, x3, mask, r, l)                                                          \
  HALF(x0, x1, x2, x3, 4, 5, 6, 7, FIRST_C(12), 8, OP("vpaddd", 13, 9), 9, OP("vpaddd", 14, 10), 10, \
       OP("vpaddd", 15, 11), 11, 12, 13, 14, 15, mask, r, l)
#define DIAGONALS(x0, x1, x2, x3, mask, r, l)                                                          \
  HALF(x0, x1, x2, x3, 5, 6, 7, 4, OP("vpaddd", 15, 10), 10, OP("vpaddd", 12, 11), 11, FIRST_C(13), 8, \
       OP("vpaddd", 14, 9), 9, 15, 12, 13, 14, mask, r, l)
#define ROUND(i0, i1, i2, i3, i4, i5, i6, i7, i8, i9, ia, ib, ic, id, ie, if_)                                         \
  ROW COLUMNS(i0, i2, i4, i6, "0", 12, 20) COLUMNS(i1, i3, i5, i7, "32", 7, 25) DIAGONALS(i8, ia, ic, ie, "0", 12, 20) \
      DIAGONALS(i9, ib, id, if_, "32", 7, 25)

#define LOAD(at, to) "vmovdqa " at "(%[w]), %%ymm" #to "\n\t"
#define FILL(at, to) "vpbroadcastd " at "(%[w]), %%ymm" #to "\n\t"
#define LOAD_H(i)    LOAD(AT_H "+32*" #i, i)
#define KEEP_H(i)    "vmovdqa %%ymm" #i ", " AT_H "+32*" #i "(%[w])\n\t"
#define EIGHT(DO)    DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7)

/* n blocks of every lane; ahead: from a row to what memory is asked for. The first block's words lie in m[0]. */
TARGET static void blocks(struct work *w, uint64_t n, uint64_t ahead) {
  const void *row, *to, *p, *flags = n == 1 ? w->flags[2] : w->flags[0];
  void *m = w->m[1], *next = w->m[0];
  uint64_t off = 0, t;
  __asm__ volatile(
      EIGHT(LOAD_H)
      "1:\n\txchg %[m], %[next]\n\t" FILL(AT_IV, 8) FIRST_C_KEEP FILL(AT_IV "+4", 9) FILL(AT_IV "+8", 10)
      FILL(AT_IV "+12", 11) LOAD(AT_COUNTER, 12) LOAD(AT_COUNTER "+32", 13) FILL(AT_LEN, 14)
      "vmovdqa (%[flags]), %%ymm15\n\t"
      /* With the last block the first one is laid out again: that may be read. */
      "add $64, %[off]\n\tadd $64, %[ahead]\n\txor %k[t], %k[t]\n\tcmp $1, %[n]\n\tcmove %[t], %[off]\n\t"
      "lea " AT_ROWS "(%[w]), %[row]\n\tmov %[next], %[to]\n\t"
      ROW B3_ORDER(ROUND)
      LOAD(AT_C0, 8) OP("vpxor", 8, 0) OP("vpxor", 9, 1) OP("vpxor", 10, 2) OP("vpxor", 11, 3) OP("vpxor", 12, 4)
      OP("vpxor", 13, 5) OP("vpxor", 14, 6) OP("vpxor", 15, 7)
      "lea " AT_FLAGS "+32(%[w]), %[flags]\n\tlea " AT_FLAGS "+64(%[w]), %[p]\n\t"
      "cmp $2, %[n]\n\tcmove %[p], %[flags]\n\tdec %[n]\n\tjnz 1b\n\t"
      EIGHT(KEEP_H)
      : [row] "=&r"(row), [to] "=&r"(to), [p] "=&r"(p), [t] "=&r"(t), [off] "+&r"(off), [n] "+&r"(n),
        [ahead] "+&r"(ahead), [flags] "+&r"(flags), [m] "+&r"(m), [next] "+&r"(next)
      : [w] "r"(w)
      : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",
        "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}

TARGET static void run(const struct b3_job *jobs, const uint32_t key[8], uint32_t flags, uint32_t first, bool even) {
  struct work w;
  V m[16], h[8];
  uint32_t n = jobs[0].len / B3_BLOCK;
  if (!even) {
    b3_run(jobs, key, flags, first, even);
    return;
  }
  for (uint32_t i = 0; i < L; i++) {
    w.rows[i] = jobs[i].in;
    w.counter[0][i] = (uint32_t)jobs[i].counter;
    w.counter[1][i] = (uint32_t)(jobs[i].counter >> 32);
    w.flags[2][i] = flags | (n == 1 ? first : 0) | jobs[i].last;
  }
  KEEP(w.flags[0], SET1(flags | first));
  KEEP(w.flags[1], SET1(flags));
  KEEP(w.mask[0], LOADU(turn16));
  KEEP(w.mask[1], LOADU(turn8));
  for (uint32_t k = 0; k < 8; k++) KEEP(w.h[k], SET1(key[k]));
  memcpy(w.iv, b3_iv, sizeof w.iv);
  w.len[0] = B3_BLOCK;
  b3_transpose_in(w.rows, m);
  for (uint32_t k = 0; k < 16; k++) KEEP(w.m[0][k], m[k]);
  blocks(&w, n, n * B3_BLOCK == B3_LEAF ? 2 * L * B3_LEAF : 0);
  for (uint32_t k = 0; k < 8; k++) h[k] = LOADU(w.h[k]);
  b3_out(h, jobs);
}

typedef __m128i R;
#define R_ADD(a, b)       _mm_add_epi32(a, b)
#define R_XOR(a, b)       _mm_xor_si128(a, b)
#define R_ROR_16(x)       _mm_shuffle_epi8(x, _mm_set_epi8(13, 12, 15, 14, 9, 8, 11, 10, 5, 4, 7, 6, 1, 0, 3, 2))
#define R_ROR_8(x)        _mm_shuffle_epi8(x, _mm_set_epi8(12, 15, 14, 13, 8, 11, 10, 9, 4, 7, 6, 5, 0, 3, 2, 1))
#define R_ROR_12(x)       _mm_or_si128(_mm_srli_epi32(x, 12), _mm_slli_epi32(x, 20))
#define R_ROR_7(x)        _mm_or_si128(_mm_srli_epi32(x, 7), _mm_slli_epi32(x, 25))
#define R_ROR(x, n)       R_ROR_##n(x)
#define R_TURN(x, n)      _mm_shuffle_epi32(x, ((n) + 0) % 4 | ((n) + 1) % 4 << 2 | ((n) + 2) % 4 << 4 | ((n) + 3) % 4 << 6)
#define R_LOAD(p)         _mm_loadu_si128((const __m128i *)(const void *)(p))
#define R_STORE(p, x)     _mm_storeu_si128((__m128i *)(void *)(p), x)
#define R_SET(a, b, c, d) _mm_set_epi32((int)(d), (int)(c), (int)(b), (int)(a))
#include "blake3_row.h"
static bool usable(void) {
  return cpu_has(CPU_AVX2, CPU_SAVED_AVX);
}
const struct b3_kernel b3_avx2 = {"avx2", L, usable, run, b3_block, 0, false};
#else
const struct b3_kernel b3_avx2 = {"avx2", 8, 0, 0, 0, 0, false};
#endif
