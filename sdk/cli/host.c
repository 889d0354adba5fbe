/* host.c - the host's table as the commands of the program use it, and a record that is one text.
 * The table is set once, by the pack's load(), before any of its tasks runs;
 * it belongs to the host. */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "cli.h"

const struct hf_host *cli_host;

hf_status cli_record_text(hf_out *out, uint32_t what, const char *text) {
  json_t *value = json_string(text);
  char *json = value ? json_dumps(value, JSON_ENCODE_ANY) : NULL;
  json_decref(value);
  if (!json) return HF_ENOMEM;
  hf_status st = cli_host->record(out, what, json, strlen(json));
  free(json);
  return st;
}
