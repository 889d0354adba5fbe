/* blake3_avx512.c - BLAKE3 for 16 lanes with AVX-512 (F, VL), and for whole blocks in 32: two states fill the registers, and while
 * one waits for its rotations the other works. Messages are operands in memory; plain moves, which need none of what is busy, lay
 * out the words of the next block meanwhile. Rotations are one instruction.
 * Compiled for any x86-64; used where the processor says so. */
#include "blake3.h"
#include "cpu.h"
#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#include <stddef.h>
#include <string.h>
#define TARGET __attribute__((target("avx512f,avx512vl,avx512bw,avx512dq")))
#define INLINE TARGET static inline __attribute__((always_inline))
#define L      16
typedef __m512i V;
#define ADD(a, b) _mm512_add_epi32(a, b)
#define XOR(a, b) _mm512_xor_si512(a, b)
#define AND(a, b) _mm512_and_si512(a, b)
#define SET1(x)   _mm512_set1_epi32((int)(x))
#define LOADU(p)  _mm512_loadu_si512((const void *)(p))
#define ROR(x, n) _mm512_ror_epi32(x, n)

INLINE void transpose16(V r[16]) {
  V a[16], b[16];
  for (int i = 0; i < 16; i += 2) {
    a[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
    a[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
  }
  for (int i = 0; i < 16; i += 4) {
    b[i] = _mm512_unpacklo_epi64(a[i], a[i + 2]);
    b[i + 1] = _mm512_unpackhi_epi64(a[i], a[i + 2]);
    b[i + 2] = _mm512_unpacklo_epi64(a[i + 1], a[i + 3]);
    b[i + 3] = _mm512_unpackhi_epi64(a[i + 1], a[i + 3]);
  }
  for (int i = 0; i < 4; i++) {
    V x = _mm512_shuffle_i32x4(b[i], b[i + 4], 0x88), y = _mm512_shuffle_i32x4(b[i + 8], b[i + 12], 0x88);
    V z = _mm512_shuffle_i32x4(b[i], b[i + 4], 0xdd), w = _mm512_shuffle_i32x4(b[i + 8], b[i + 12], 0xdd);
    r[i] = _mm512_shuffle_i32x4(x, y, 0x88);
    r[i + 8] = _mm512_shuffle_i32x4(x, y, 0xdd);
    r[i + 4] = _mm512_shuffle_i32x4(z, w, 0x88);
    r[i + 12] = _mm512_shuffle_i32x4(z, w, 0xdd);
  }
}
INLINE void b3_transpose_in(const uint8_t *const at[L], V m[16]) {
  for (int i = 0; i < 16; i++) m[i] = LOADU(at[i]);
  transpose16(m);
}
INLINE void b3_out(V h[8], const struct b3_job *jobs) {
  V r[16];
  for (int i = 0; i < 8; i++) r[i] = h[i];
  for (int i = 8; i < 16; i++) r[i] = _mm512_setzero_si512();
  transpose16(r);
  for (int i = 0; i < 16; i++) _mm256_storeu_si256((__m256i *)(void *)jobs[i].out, _mm512_castsi512_si256(r[i]));
}
#include "blake3_lanes.h"

/* ---- two states of 16 lanes ---- */

#define PAIR       32
#define KEEP(p, x) _mm512_store_si512((void *)(p), x)

struct work {
  uint32_t m[2][16][PAIR]; /* of this block and the next: words of all lanes; 16 lanes for each state */
  uint32_t h[8][PAIR];
  uint32_t iv[4][16], counter[2][PAIR], len[16]; /* counter: its halves */
  uint32_t flags[3][PAIR];                       /* of the first, a middle and the last block */
  const uint8_t *rows[PAIR];                     /* where the lanes' bytes come from */
} __attribute__((aligned(64)));

#define AT_H       "4096"
#define AT_IV      "5120"
#define AT_COUNTER "5376"
#define AT_LEN     "5632"
#define AT_FLAGS   "5696"
#define AT_ROWS    "6080"
_Static_assert(offsetof(struct work, h) == 4096 && offsetof(struct work, iv) == 5120 &&
                   offsetof(struct work, counter) == 5376 && offsetof(struct work, len) == 5632 &&
                   offsetof(struct work, flags) == 5696 && offsetof(struct work, rows) == 6080,
               "the text below counts on it");

/* ---- one lane's words of the block at off to their places ---- */
#define MOVE(i)                                           \
  "mov 8*" #i "(%[p],%[off]), %[t]\n\tmov %k[t], 256*" #i \
  "(%[to])\n\t"                                           \
  "shr $32, %[t]\n\tmov %k[t], 256*" #i "+128(%[to])\n\t"
#define ROW                                                                        \
  "mov (%[row]), %[p]\n\t" MOVE(0) MOVE(1) MOVE(2) MOVE(3) MOVE(4) MOVE(5) MOVE(6) \
      MOVE(7) "prefetcht1 (%[p],%[ahead])\n\tadd $8, %[row]\n\tadd $4, %[to]\n\t"

/* ---- the rounds: half a G after the other; four of one state, then four of the other ---- */
#define OP(op, from, to) op " %%zmm" #from ", %%zmm" #to ", %%zmm" #to "\n\t"
#define TURN(n, to)      "vprord $" #n ", %%zmm" #to ", %%zmm" #to "\n\t"
#define HALF_G(s, x, a, b, c, d, n, r)                                                                               \
  "vpaddd 64*" #s "+128*" #x "(%[m]), %%zmm" #a ", %%zmm" #a "\n\t" OP("vpaddd", b, a) OP("vpxord", a, d) TURN(n, d) \
      OP("vpaddd", d, c) OP("vpxord", c, b) TURN(r, b)
#define COLUMNS(x0, x1, x2, x3, n, r)                                                                       \
  HALF_G(0, x0, 0, 4, 8, 12, n, r)                                                                          \
  HALF_G(0, x1, 1, 5, 9, 13, n, r)                                                                          \
  HALF_G(0, x2, 2, 6, 10, 14, n, r)                                                                         \
  HALF_G(0, x3, 3, 7, 11, 15, n, r) HALF_G(1, x0, 16, 20, 24, 28, n, r) HALF_G(1, x1, 17, 21, 25, 29, n, r) \
      HALF_G(1, x2, 18, 22, 26, 30, n, r) HALF_G(1, x3, 19, 23, 27, 31, n, r) ROW
#define DIAGONALS(x0, x1, x2, x3, n, r)                                                                    \
  HALF_G(0, x0, 0, 5, 10, 15, n, r)                                                                        \
  HALF_G(0, x1, 1, 6, 11, 12, n, r)                                                                        \
  HALF_G(0, x2, 2, 7, 8, 13, n, r)                                                                         \
  HALF_G(0, x3, 3, 4, 9, 14, n, r) HALF_G(1, x0, 16, 21, 26, 31, n, r) HALF_G(1, x1, 17, 22, 27, 28, n, r) \
      HALF_G(1, x2, 18, 23, 24, 29, n, r) HALF_G(1, x3, 19, 20, 25, 30, n, r) ROW
#define ROUND(i0, i1, i2, i3, i4, i5, i6, i7, i8, i9, ia, ib, ic, id, ie, if_) \
  COLUMNS(i0, i2, i4, i6, 16, 12)                                              \
  COLUMNS(i1, i3, i5, i7, 8, 7) DIAGONALS(i8, ia, ic, ie, 16, 12) DIAGONALS(i9, ib, id, if_, 8, 7)

/* ---- what lies between the rounds of two blocks ---- */
#define LOAD(at, to) "vmovdqa64 " at "(%[w]), %%zmm" #to "\n\t"
#define REST(s, a, b, c, d, e, f, g, h)                                                 \
  LOAD(AT_IV, a)                                                                        \
  LOAD(AT_IV "+64", b)                                                                  \
  LOAD(AT_IV "+128", c)                                                                 \
  LOAD(AT_IV "+192", d) LOAD(AT_COUNTER "+64*" #s, e) LOAD(AT_COUNTER "+128+64*" #s, f) \
      LOAD(AT_LEN, g) "vmovdqa64 64*" #s "(%[flags]), %%zmm" #h "\n\t"
#define H(DO)                                                                                                  \
  DO(0, 0)                                                                                                     \
  DO(2, 1)                                                                                                     \
  DO(4, 2)                                                                                                     \
  DO(6, 3) DO(8, 4) DO(10, 5) DO(12, 6) DO(14, 7) DO(1, 16) DO(3, 17) DO(5, 18) DO(7, 19) DO(9, 20) DO(11, 21) \
      DO(13, 22) DO(15, 23)
#define LOAD_H(i, z) LOAD(AT_H "+64*" #i, z)
#define KEEP_H(i, z) "vmovdqa64 %%zmm" #z ", " AT_H "+64*" #i "(%[w])\n\t"

/* n blocks of every lane; ahead: from a row to what memory is asked for. The first block's words lie in m[0]. */
TARGET static void blocks(struct work *w, uint64_t n, uint64_t ahead) {
  const void *row, *to, *p, *flags = n == 1 ? w->flags[2] : w->flags[0];
  uint64_t off = 0, t;
  void *m = w->m[1], *next = w->m[0];
  __asm__ volatile(
      H(LOAD_H) "1:\n\txchg %[m], %[next]\n\t" REST(0, 8, 9, 10, 11, 12, 13, 14, 15)
          REST(1, 24, 25, 26, 27, 28, 29, 30, 31)
      /* With the last block the first one is laid out again: that may be read. */
      "add $64, %[off]\n\tadd $64, %[ahead]\n\txor %k[t], %k[t]\n\tcmp $1, %[n]\n\tcmove %[t], %[off]\n\t"
      "lea " AT_ROWS "(%[w]), %[row]\n\tmov %[next], %[to]\n\t" ROW ROW ROW ROW B3_ORDER(ROUND) OP("vpxord", 8, 0)
          OP("vpxord", 24, 16) OP("vpxord", 9, 1) OP("vpxord", 25, 17) OP("vpxord", 10, 2) OP("vpxord", 26, 18)
              OP("vpxord", 11, 3) OP("vpxord", 27, 19) OP("vpxord", 12, 4) OP("vpxord", 28, 20) OP("vpxord", 13, 5)
                  OP("vpxord", 29, 21) OP("vpxord", 14, 6) OP("vpxord", 30, 22) OP("vpxord", 15, 7)
                      OP("vpxord", 31, 23) "lea " AT_FLAGS "+128(%[w]), %[flags]\n\tlea " AT_FLAGS
                                           "+256(%[w]), %[p]\n\t"
                                           "cmp $2, %[n]\n\tcmove %[p], %[flags]\n\tdec %[n]\n\tjnz 1b\n\t" H(KEEP_H)
      : [row] "=&r"(row), [to] "=&r"(to), [p] "=&r"(p), [t] "=&r"(t), [off] "+&r"(off), [n] "+&r"(n),
        [ahead] "+&r"(ahead), [flags] "+&r"(flags), [m] "+&r"(m), [next] "+&r"(next)
      : [w] "r"(w)
      : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",
        "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22",
        "xmm23", "xmm24", "xmm25", "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31");
}

TARGET static void run_pair(const struct b3_job *jobs, const uint32_t key[8], uint32_t flags, uint32_t first,
                            bool even) {
  struct work w;
  uint32_t n = jobs[0].len / B3_BLOCK;
  (void)even;
  for (uint32_t k = 0; k < 4; k++) KEEP(w.iv[k], SET1(b3_iv[k]));
  KEEP(w.len, SET1(B3_BLOCK));
  for (uint32_t i = 0; i < PAIR; i++) {
    w.rows[i] = jobs[i].in;
    w.counter[0][i] = (uint32_t)jobs[i].counter;
    w.counter[1][i] = (uint32_t)(jobs[i].counter >> 32);
    w.flags[2][i] = flags | (n == 1 ? first : 0) | jobs[i].last;
  }
  for (uint32_t s = 0; s < PAIR; s += L) {
    V m[L];
    b3_transpose_in(w.rows + s, m);
    for (uint32_t k = 0; k < 16; k++) KEEP(w.m[0][k] + s, m[k]);
    for (uint32_t k = 0; k < 8; k++) KEEP(w.h[k] + s, SET1(key[k]));
    KEEP(w.flags[0] + s, SET1(flags | first));
    KEEP(w.flags[1] + s, SET1(flags));
  }
  blocks(&w, n, n * B3_BLOCK == B3_LEAF ? PAIR * B3_LEAF : 0);
  for (uint32_t s = 0; s < PAIR; s += L) {
    V h[8];
    for (uint32_t k = 0; k < 8; k++) h[k] = LOADU(w.h[k] + s);
    b3_out(h, jobs + s);
  }
}

typedef __m128i R;
#define R_ADD(a, b)       _mm_add_epi32(a, b)
#define R_XOR(a, b)       _mm_xor_si128(a, b)
#define R_ROR(x, n)       _mm_ror_epi32(x, n)
#define R_TURN(x, n)      _mm_shuffle_epi32(x, ((n) + 0) % 4 | ((n) + 1) % 4 << 2 | ((n) + 2) % 4 << 4 | ((n) + 3) % 4 << 6)
#define R_LOAD(p)         _mm_loadu_si128((const __m128i *)(const void *)(p))
#define R_STORE(p, x)     _mm_storeu_si128((__m128i *)(void *)(p), x)
#define R_SET(a, b, c, d) _mm_set_epi32((int)(d), (int)(c), (int)(b), (int)(a))
#include "blake3_row.h"
static bool usable(void) {
  return cpu_has(CPU_AVX512_ALL, CPU_SAVED_AVX512);
}
static const struct b3_kernel one = {"avx512", L,        usable, b3_run,
                                     b3_block, &b3_avx2, false}; /* AVX2: cpu.h asks for both */
const struct b3_kernel b3_avx512 = {"avx512", PAIR, usable, run_pair, b3_block, &one, true};
#else
const struct b3_kernel b3_avx512 = {"avx512", 32, 0, 0, 0, 0, true};
#endif
