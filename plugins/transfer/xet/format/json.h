/* json.h - reads JSON from memory, value by value, in the order in which it stands there: no tree, no allocation, no recursion.
 * The reader says what it expects; anything else makes it `bad`, and from then on every function answers 0.
 *
 *   struct xet_json j = {text, text + len};
 *   for (xet_json_open(&j, '{'); xet_json_key(&j, name, sizeof name);)
 *     if (!strcmp(name, "exp")) xet_json_number(&j, &exp); else xet_json_skip(&j); */
#ifndef XET_JSON_H
#define XET_JSON_H
#include <stddef.h>
#include <stdint.h>

#define XET_JSON_DEPTH 64u
struct xet_json {
  const char *p, *end;
  int bad;
  uint32_t depth;
  uint64_t many; /* bit per depth: something came already */
};
int xet_json_open(struct xet_json *, char bracket); /* '{' or '[' */
/* The next member's name, or 0 and past the end of the object. Longer names are cut. */
int xet_json_key(struct xet_json *, char *name, size_t room);
/* 1: another element follows; 0: past the end of the array. */
int xet_json_item(struct xet_json *);
/* Text that does not fit is bad. */
int xet_json_string(struct xet_json *, char *out, size_t room);
int xet_json_number(struct xet_json *, uint64_t *); /* whole, not negative */
int xet_json_flag(struct xet_json *, int *);
int xet_json_skip(struct xet_json *);  /* one value of any kind */
char xet_json_peek(struct xet_json *); /* first byte of the next value, 0 at the end */
/* Appends text as a JSON string, quotes included; answers the length it needs, like snprintf. */
size_t xet_json_quote(const char *text, char *out, size_t room);
#endif
