/* match.c - similarity of two words: twice the matched characters over all characters, where matches are the longest
 * common block and, to both sides of it, the longest common blocks again.
 * Words beyond 64 characters are no typing mistakes and match nothing. */
#include "match.h"

#include <string.h>

enum { LONGEST = 64 };

struct piece {
  size_t a0, a1, b0, b1;
};

/* The longest block a[i..i+k) == b[j..j+k) of the piece; of several the one that starts first in a, then in b. */
static size_t longest_block(const char *a, const char *b, struct piece p, size_t *at_a, size_t *at_b) {
  size_t best = 0;
  for (size_t i = p.a0; i < p.a1; i++)
    for (size_t j = p.b0; j < p.b1; j++) {
      size_t k = 0;
      while (i + k < p.a1 && j + k < p.b1 && a[i + k] == b[j + k]) k++;
      if (k > best) {
        best = k;
        *at_a = i;
        *at_b = j;
      }
    }
  return best;
}

double cli_match_ratio(const char *a, const char *b) {
  size_t na = strlen(a), nb = strlen(b), matched = 0, depth = 1;
  if (na > LONGEST || nb > LONGEST) return 0;
  if (na + nb == 0) return 1;
  struct piece open[2 * LONGEST + 2] = {{0, na, 0, nb}};
  while (depth) {
    struct piece p = open[--depth];
    size_t i = 0, j = 0, k = longest_block(a, b, p, &i, &j);
    if (!k) continue;
    matched += k;
    if (p.a0 < i && p.b0 < j) open[depth++] = (struct piece){p.a0, i, p.b0, j};
    if (i + k < p.a1 && j + k < p.b1) open[depth++] = (struct piece){i + k, p.a1, j + k, p.b1};
  }
  return 2.0 * (double)matched / (double)(na + nb);
}

size_t cli_close_matches(const char *word, const char *const *words, size_t n, size_t best[3]) {
  double score[3];
  size_t found = 0;
  for (size_t i = 0; i < n; i++) {
    double ratio = cli_match_ratio(words[i], word);
    if (ratio < 0.6) continue;
    /* equal ratios: the word that sorts last comes first */
    size_t at = found;
    while (at && (score[at - 1] < ratio || (score[at - 1] == ratio && strcmp(words[best[at - 1]], words[i]) < 0))) at--;
    if (at == 3) continue;
    if (found < 3) found++;
    for (size_t k = found - 1; k > at; k--) {
      score[k] = score[k - 1];
      best[k] = best[k - 1];
    }
    score[at] = ratio;
    best[at] = i;
  }
  return found;
}
