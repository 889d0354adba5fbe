/* commands.h - the subcommands of hf-devhub and what they share: options as rows, and a small HTTP client.
 * A command gets its arguments behind its name and returns the exit code: 0, 1 (failed), 2 (wrong use).
 * Options may be written --name VALUE or --name=VALUE. */
#ifndef DEVHUB_COMMANDS_H
#define DEVHUB_COMMANDS_H
#include "text.h"
#include <jansson.h>

int dh_command_serve(int argc, char **argv);
int dh_command_add(int argc, char **argv);
int dh_command_log(int argc, char **argv);
int dh_command_fault(int argc, char **argv);
int dh_command_reset(int argc, char **argv);
int dh_command_rename(int argc, char **argv);

enum { VALUES_MAX = 64 };
struct option_row {
  const char *name;    /* without dashes */
  bool flag;           /* takes no value */
  const char **values; /* VALUES_MAX places if `many`, else one; a flag gets "1" */
  size_t *many;
};
/* Returns the positional arguments' count, compacted to the front of argv; -1 after a message about wrong use. */
int dh_options(const char *command, const struct option_row *rows, size_t count, int argc, char **argv);

/* HTTP to a devhub on this machine. */
struct client {
  int fd;
  char host[256], port[8];
};
bool dh_client_open(struct client *c, const char *url);
void dh_client_close(struct client *c);
/* One exchange; the body comes from memory or, with fd >= 0, from a file of `size` bytes. The answer's body goes to *out.
 * Returns the status, 0 when there was no answer (reported on stderr). */
int dh_client_send(struct client *c, const char *method, const char *path, const void *body, int fd, uint64_t size,
                   struct text *out);
/* The same with JSON both ways; NULL after reporting what went wrong. Takes `body`. */
json_t *dh_client_json(struct client *c, const char *method, const char *path, json_t *body);
#endif
