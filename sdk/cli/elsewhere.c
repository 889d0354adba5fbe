/* elsewhere.c - the commands of the reference client, so that one that is not here yet is told from a typing mistake.
 * Such a command is handed to the program named in HF_FALLBACK, with the words as they were typed; without it, exit 2.
 * The registry is asked first: a name in this table that has a row by now never gets here. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

static const char *const names[] = {
    "auth list",
    "auth login",
    "auth logout",
    "auth ls",
    "auth switch",
    "auth token",
    "auth whoami",
    "buckets cp",
    "buckets create",
    "buckets delete",
    "buckets info",
    "buckets list",
    "buckets ls",
    "buckets move",
    "buckets remove",
    "buckets rm",
    "buckets settings",
    "buckets sync",
    "cache list",
    "cache ls",
    "cache prune",
    "cache rm",
    "cache verify",
    "collections add-item",
    "collections create",
    "collections delete",
    "collections delete-item",
    "collections info",
    "collections list",
    "collections ls",
    "collections update",
    "collections update-item",
    "cp",
    "datasets card",
    "datasets info",
    "datasets leaderboard",
    "datasets list",
    "datasets ls",
    "datasets parquet",
    "datasets sql",
    "discussions close",
    "discussions comment",
    "discussions create",
    "discussions diff",
    "discussions edit",
    "discussions info",
    "discussions list",
    "discussions ls",
    "discussions merge",
    "discussions rename",
    "discussions reopen",
    "download",
    "endpoints catalog deploy",
    "endpoints catalog list",
    "endpoints catalog ls",
    "endpoints delete",
    "endpoints deploy",
    "endpoints describe",
    "endpoints hardware",
    "endpoints list",
    "endpoints list-catalog",
    "endpoints ls",
    "endpoints pause",
    "endpoints resume",
    "endpoints scale-to-zero",
    "endpoints update",
    "env",
    "ext exec",
    "ext install",
    "ext list",
    "ext ls",
    "ext remove",
    "ext rm",
    "ext search",
    "ext update",
    "extensions exec",
    "extensions install",
    "extensions list",
    "extensions ls",
    "extensions remove",
    "extensions rm",
    "extensions search",
    "extensions update",
    "jobs cancel",
    "jobs expose",
    "jobs hardware",
    "jobs inspect",
    "jobs labels",
    "jobs list",
    "jobs logs",
    "jobs ls",
    "jobs ps",
    "jobs rerun",
    "jobs run",
    "jobs scheduled delete",
    "jobs scheduled inspect",
    "jobs scheduled labels",
    "jobs scheduled list",
    "jobs scheduled ls",
    "jobs scheduled ps",
    "jobs scheduled reschedule",
    "jobs scheduled resume",
    "jobs scheduled run",
    "jobs scheduled suspend",
    "jobs scheduled trigger",
    "jobs scheduled uv run",
    "jobs ssh",
    "jobs stats",
    "jobs uv run",
    "jobs wait",
    "lfs-enable-largefiles",
    "lfs-multipart-upload",
    "models card",
    "models info",
    "models list",
    "models ls",
    "papers info",
    "papers list",
    "papers ls",
    "papers read",
    "papers search",
    "repo-files delete",
    "repos branch create",
    "repos branch delete",
    "repos cp",
    "repos create",
    "repos delete",
    "repos delete-files",
    "repos duplicate",
    "repos list",
    "repos ls",
    "repos move",
    "repos settings",
    "repos tag create",
    "repos tag delete",
    "repos tag list",
    "repos tag ls",
    "sandbox cp",
    "sandbox create",
    "sandbox exec",
    "sandbox kill",
    "sandbox pool create",
    "sandbox pool delete",
    "sandbox pool list",
    "sandbox pool ls",
    "sandbox pool rm",
    "sandbox process kill",
    "sandbox process list",
    "sandbox process ls",
    "sandbox spawn",
    "skills add",
    "skills list",
    "skills ls",
    "skills preview",
    "skills update",
    "spaces card",
    "spaces dev-mode",
    "spaces hardware",
    "spaces hot-reload",
    "spaces info",
    "spaces list",
    "spaces logs",
    "spaces ls",
    "spaces pause",
    "spaces restart",
    "spaces search",
    "spaces secrets add",
    "spaces secrets delete",
    "spaces secrets list",
    "spaces secrets ls",
    "spaces settings",
    "spaces ssh",
    "spaces templates",
    "spaces variables add",
    "spaces variables delete",
    "spaces variables list",
    "spaces variables ls",
    "spaces volumes delete",
    "spaces volumes list",
    "spaces volumes ls",
    "spaces volumes set",
    "spaces wait",
    "spaces zero-gpu quota",
    "sync",
    "update",
    "upload",
    "upload-large-folder",
    "version",
    "webhooks create",
    "webhooks delete",
    "webhooks disable",
    "webhooks enable",
    "webhooks info",
    "webhooks list",
    "webhooks ls",
    "webhooks update",
};

/* How many characters of the words match the name, up to a word's end: all of it, or a group of it; 0: neither. */
static size_t agreement(const char *name, int count, char **words) {
  size_t at = 0;
  for (int i = 0; i < count; i++) {
    size_t n = strlen(words[i]);
    if (strncmp(name + at, words[i], n) || (name[at + n] && name[at + n] != ' ')) break;
    at += n;
    if (!name[at]) return at;
    at++;
  }
  return at ? at - 1 : 0;
}

int cli_elsewhere(int count, char **words, int known) {
  size_t best = 0, least = 0; /* a match must reach past the groups that are here */
  const char *name = "--skills";
  if (!count) return -1;
  for (int i = 0; i < known; i++) least += strlen(words[i]) + 1;
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    size_t n = agreement(names[i], count, words);
    if (n <= best || n <= least) continue;
    best = n;
    name = names[i];
  }
  if (!best && strcmp(words[0], name)) return -1;
  if (!best) best = strlen(name);
  const char *program = getenv("HF_FALLBACK");
  if (!program || !*program) {
    fprintf(stderr, "Error: `hf %.*s` is not part of libhf %s yet; set HF_FALLBACK to a program that has it.\n",
            (int)best, name, hf_version());
    return CLI_USAGE;
  }
  char **argv = calloc((size_t)count + 2, sizeof *argv), *file = strdup(program);
  if (!argv || !file) {
    free(argv);
    free(file);
    fputs("Error: out of memory\n", stderr);
    return CLI_FAILED;
  }
  argv[0] = file;
  memcpy(argv + 1, words, (size_t)count * sizeof *argv);
  unsetenv("HF_FALLBACK"); /* should it be this very program */
  signal(SIGPIPE, SIG_DFL);
  signal(SIGXFSZ, SIG_DFL);
  execvp(file, argv);
  fprintf(stderr, "Error: HF_FALLBACK names %s, which cannot be run: %s.\n", file, strerror(errno));
  free(argv);
  free(file);
  return CLI_USAGE;
}
