/* unicode.h - what the command line must know of text to print it as the reference does: length in code points, which
 * characters are shown as they are, which are escaped, and where words end.
 * All functions take UTF-8 of any quality; a broken byte counts as one character that is not printable. */
#ifndef CLI_UNICODE_H
#define CLI_UNICODE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Next character of text[0..len): its code point and how many bytes it takes; a broken byte is itself with *bad set. */
uint32_t cli_utf8_next(const char *text, size_t len, size_t *bytes, bool *bad);
size_t cli_utf8_length(const char *text, size_t len);               /* in code points */
size_t cli_utf8_prefix(const char *text, size_t len, size_t count); /* bytes of the first `count` characters */
bool cli_is_printable(uint32_t c);                                  /* shown as it is in a Python literal */
bool cli_is_space(uint32_t c);                                      /* splits words */

/* Writes text with every character that is not printable spelled as an escape: \n, \x1b, \u200b. */
void cli_write_escaped(FILE *, const char *text, size_t len);
/* The same, after runs of white space have become one blank and those at both ends have gone. */
void cli_write_single_line(FILE *, const char *text, size_t len);
/* A quoted literal: 'it', "it's". */
void cli_write_repr(FILE *, const char *text, size_t len);
/* For messages of the server and the like: lines stay, other control characters are escaped. */
void cli_write_message(FILE *, const char *text);
/* Without terminal colour sequences. */
void cli_write_plain(FILE *, const char *text, size_t len);
#endif
