/* command_remote.c - the commands that talk to a running devhub: log, fault, reset, rename.
 * Each is one request to /_devhub/...; what it answers is printed as it came.
 * Faults are sent in their text form, several at once. */
#include "commands.h"
#include <stdio.h>
#include <string.h>

static bool url_open(struct client *c, const char *command, const char *url) {
  if (url) return dh_client_open(c, url);
  fprintf(stderr, "hf-devhub %s: needs --url, as printed by hf-devhub serve\n", command);
  return false;
}

int dh_command_log(int argc, char **argv) {
  const char *url = NULL, *after = "0";
  const struct option_row rows[] = {{"url", false, &url, NULL}, {"after", false, &after, NULL}};
  uint64_t number;
  if (dh_options("log", rows, 2, argc, argv) != 0 || !dh_number(after, UINT64_MAX - 1, &number)) return 2;
  struct client c;
  if (!url_open(&c, "log", url)) return url ? 1 : 2;
  char path[64];
  struct text out = {0};
  snprintf(path, sizeof path, "/_devhub/log?after=%llu", (unsigned long long)number);
  int status = dh_client_send(&c, "GET", path, NULL, -1, 0, &out);
  dh_client_close(&c);
  if (status == 200 && out.size) fwrite(out.data, 1, out.size, stdout);
  dh_text_free(&out);
  return status == 200 && fflush(stdout) == 0 ? 0 : 1;
}

static int exchange(const char *command, const char *url, const char *method, const char *path, json_t *body) {
  struct client c;
  if (!url_open(&c, command, url)) {
    json_decref(body);
    return url ? 1 : 2;
  }
  json_t *answer = dh_client_json(&c, method, path, body);
  dh_client_close(&c);
  if (answer) json_dumpf(answer, stdout, JSON_COMPACT | JSON_ENCODE_ANY);
  if (answer) fputc('\n', stdout);
  int rc = answer ? 0 : 1;
  json_decref(answer);
  return rc;
}

int dh_command_reset(int argc, char **argv) {
  const char *url = NULL;
  const struct option_row rows[] = {{"url", false, &url, NULL}};
  if (dh_options("reset", rows, 1, argc, argv) != 0) return 2;
  return exchange("reset", url, "POST", "/_devhub/reset", NULL);
}

int dh_command_fault(int argc, char **argv) {
  const char *url = NULL, *clear = NULL;
  const struct option_row rows[] = {{"url", false, &url, NULL}, {"clear", true, &clear, NULL}};
  int count = dh_options("fault", rows, 2, argc, argv);
  if (count < 0) return 2;
  if (clear || count == 0) return exchange("fault", url, clear ? "DELETE" : "GET", "/_devhub/faults", NULL);
  json_t *list = json_array();
  for (int i = 0; i < count; i++) json_array_append_new(list, json_string(argv[i]));
  return exchange("fault", url, "POST", "/_devhub/faults", list);
}

int dh_command_rename(int argc, char **argv) {
  const char *url = NULL, *type = "model";
  const struct option_row rows[] = {{"url", false, &url, NULL}, {"type", false, &type, NULL}};
  if (dh_options("rename", rows, 2, argc, argv) != 2) {
    fprintf(stderr, "hf-devhub rename: needs FROM and TO\n");
    return 2;
  }
  return exchange("rename", url, "POST", "/_devhub/rename",
                  json_pack("{s:s, s:s, s:s}", "from", argv[0], "to", argv[1], "type", type));
}
