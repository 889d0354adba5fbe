/* blake3_lanes.h - the body of a kernel for L lanes of 32-bit words, included once per instruction set.
 * The includer defines L, V (vector type), ADD, XOR, AND, ROR(x,n), SET1, LOADU, b3_transpose_in (16 message vectors of one block
 * of every lane), b3_out (8 state vectors to the jobs' results), TARGET, INLINE. */
/* Half a round: four columns (or diagonals) step by step, so that neighbours never wait for one another. The message is added
 * before what the last step made. */
#define B3_STEP(a0, a1, a2, a3, b0, b1, b2, b3, c0, c1, c2, c3, d0, d1, d2, d3, x0, x1, x2, x3, n, m_) \
  a0 = ADD(a0, x0), a1 = ADD(a1, x1), a2 = ADD(a2, x2), a3 = ADD(a3, x3);                              \
  a0 = ADD(a0, b0), a1 = ADD(a1, b1), a2 = ADD(a2, b2), a3 = ADD(a3, b3);                              \
  d0 = XOR(d0, a0), d1 = XOR(d1, a1), d2 = XOR(d2, a2), d3 = XOR(d3, a3);                              \
  d0 = ROR(d0, n), d1 = ROR(d1, n), d2 = ROR(d2, n), d3 = ROR(d3, n);                                  \
  c0 = ADD(c0, d0), c1 = ADD(c1, d1), c2 = ADD(c2, d2), c3 = ADD(c3, d3);                              \
  b0 = XOR(b0, c0), b1 = XOR(b1, c1), b2 = XOR(b2, c2), b3 = XOR(b3, c3);                              \
  b0 = ROR(b0, m_), b1 = ROR(b1, m_), b2 = ROR(b2, m_), b3 = ROR(b3, m_);

#define B3_ROUND(i0, i1, i2, i3, i4, i5, i6, i7, i8, i9, ia, ib, ic, id, ie, if_)                             \
  B3_STEP(v0, v1, v2, v3, v4, v5, v6, v7, v8, v9, va, vb, vc, vd, ve, vf, m[i0], m[i2], m[i4], m[i6], 16, 12) \
  B3_STEP(v0, v1, v2, v3, v4, v5, v6, v7, v8, v9, va, vb, vc, vd, ve, vf, m[i1], m[i3], m[i5], m[i7], 8, 7)   \
  B3_STEP(v0, v1, v2, v3, v5, v6, v7, v4, va, vb, v8, v9, vf, vc, vd, ve, m[i8], m[ia], m[ic], m[ie], 16, 12) \
  B3_STEP(v0, v1, v2, v3, v5, v6, v7, v4, va, vb, v8, v9, vf, vc, vd, ve, m[i9], m[ib], m[id], m[if_], 8, 7)

INLINE void b3_compress(const V h[8], const V m[16], const V tail[4], V out[8]) {
  V v0 = h[0], v1 = h[1], v2 = h[2], v3 = h[3], v4 = h[4], v5 = h[5], v6 = h[6], v7 = h[7];
  V v8 = SET1(b3_iv[0]), v9 = SET1(b3_iv[1]), va = SET1(b3_iv[2]), vb = SET1(b3_iv[3]);
  V vc = tail[0], vd = tail[1], ve = tail[2], vf = tail[3];
  B3_ORDER(B3_ROUND)
  out[0] = XOR(v0, v8), out[1] = XOR(v1, v9), out[2] = XOR(v2, va), out[3] = XOR(v3, vb);
  out[4] = XOR(v4, vc), out[5] = XOR(v5, vd), out[6] = XOR(v6, ve), out[7] = XOR(v7, vf);
}

TARGET static void b3_run(const struct b3_job *jobs, const uint32_t key[8], uint32_t flags, uint32_t first, bool even) {
  V h[8];
  for (int i = 0; i < 8; i++) h[i] = SET1(key[i]);
  uint32_t low[L], high[L], most = 0;
  for (int i = 0; i < L; i++) {
    low[i] = (uint32_t)jobs[i].counter;
    high[i] = (uint32_t)(jobs[i].counter >> 32);
    if (jobs[i].len > most) most = jobs[i].len;
  }
  const V counter_low = LOADU(low), counter_high = LOADU(high);
  uint32_t blocks = (most + B3_BLOCK - 1) / B3_BLOCK;
  uint8_t tail[L][B3_BLOCK]; /* padded last blocks of ragged lanes */
  uint32_t len[L], flag[L];
  const uint8_t *at[L];
  for (int i = 0; i < L; i++) at[i] = jobs[i].in;
  V block_len = SET1(B3_BLOCK);
  for (uint32_t b = 0; b < blocks; b++) {
    V block_flags;
    if (even) {
      block_flags = SET1(flags | (b == 0 ? first : 0));
      if (b + 1 == blocks) {
        for (int i = 0; i < L; i++) flag[i] = flags | (b == 0 ? first : 0) | jobs[i].last;
        block_flags = LOADU(flag);
      }
    } else {
      for (int i = 0; i < L; i++) {
        uint32_t done = b * B3_BLOCK, left = jobs[i].len > done ? jobs[i].len - done : 0;
        len[i] = left < B3_BLOCK ? left : B3_BLOCK;
        flag[i] = flags | (b == 0 ? first : 0) | (left <= B3_BLOCK ? jobs[i].last : 0);
        if (left < B3_BLOCK) {
          memset(tail[i], 0, B3_BLOCK);
          if (left) memcpy(tail[i], jobs[i].in + done, left);
          at[i] = tail[i];
        }
      }
      block_len = LOADU(len);
      block_flags = LOADU(flag);
    }
    V m[16];
    b3_transpose_in(at, m);
    for (int i = 0; i < L; i++) {
      if (even && most == B3_LEAF)
        __builtin_prefetch((const void *)((uintptr_t)at[i] + L * B3_LEAF)); /* the next ones */
      at[i] += B3_BLOCK;
    }
    const V rest[4] = {counter_low, counter_high, block_len, block_flags};
    V n[8];
    b3_compress(h, m, rest, n);
    if (even) {
      for (int i = 0; i < 8; i++) h[i] = n[i];
    } else { /* a lane whose input has ended keeps its value */
      uint32_t keep[L];
      for (int i = 0; i < L; i++) keep[i] = jobs[i].len > b * B3_BLOCK ? 0xffffffffu : 0;
      const V mask = LOADU(keep);
      for (int i = 0; i < 8; i++) h[i] = XOR(h[i], AND(mask, XOR(h[i], n[i])));
    }
  }
  b3_out(h, jobs);
}
