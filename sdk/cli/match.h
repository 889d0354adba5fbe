/* match.h - which known words are close to one that was mistyped, as the reference's difflib judges it.
 * Used for "Did you mean"; the same words come out in the same order.
 * Words are short: command names and option spellings. */
#ifndef CLI_MATCH_H
#define CLI_MATCH_H
#include <stddef.h>

/* Indices of at most three words of `words` whose ratio to `word` is 0.6 or more, best first. */
size_t cli_close_matches(const char *word, const char *const *words, size_t n, size_t best[3]);
double cli_match_ratio(const char *a, const char *b);
#endif
