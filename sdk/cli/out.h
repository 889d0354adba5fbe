/* out.h - the state of one command's output, shared by the files that render it: out.c, table.c, listing.c.
 * A table's items are kept until it is complete; everything else goes out at once.
 * stdout carries results, stderr everything about them. */
#ifndef CLI_OUT_H
#define CLI_OUT_H
#include <jansson.h>

#include "cli.h"

struct cli_out {
  enum cli_mode mode;
  bool colour, no_truncate, unicode;
  const struct hf_task *task;
  struct cli_progress *progress; /* to be cleared before lines, or NULL */
  json_t *items, *layout;        /* of the table being collected */
  size_t streamed;               /* items of this table that are out already */
  char *message;                 /* headline of the next result */
  int write_errno;               /* why stdout took no more, or 0 */
  bool broken;                   /* a record that is no JSON: the operation ends */
};

const char *cli_layout_text(const struct cli_out *, const char *member); /* NULL: absent */
bool cli_layout_flag(const struct cli_out *, const char *member);
void cli_table_write(struct cli_out *);
/* The item that just came, of a table whose items come over time; false: this mode needs all of them first. */
bool cli_table_stream(struct cli_out *);
void cli_listing_write(struct cli_out *);
/* A line on stderr: colour (an ANSI number, or NULL), label, text. */
void cli_out_line(struct cli_out *, const char *colour, const char *label, const char *text);
#endif
