/* wrap.h - paragraphs broken into lines as the reference's help formatter breaks them.
 * Words break at blanks, after hyphens inside words, and anywhere when they are longer than a line.
 * Widths count characters. */
#ifndef CLI_WRAP_H
#define CLI_WRAP_H
#include <stddef.h>
#include <stdio.h>

struct cli_wrap {
  size_t width;        /* of a line, indent included */
  size_t indent, hang; /* blanks in front of the first line and of the others, part of the width */
  size_t margin;       /* blanks in front of all but the first line, beyond the width */
};
/* Blank lines separate paragraphs; no newline at the end. */
void cli_wrap_write(FILE *, const char *text, const struct cli_wrap *);
/* Columns of the terminal: COLUMNS, else what the terminal says of itself, else 80. */
size_t cli_terminal_columns(void);
#endif
