/* main.c - hf-devhub: a Hub for one machine. Picks the command; each has its own file.
 * Options are read by rows (dh_options), the same way for all commands.
 * Help is the text below; docs/devhub.md explains more. */
#include "commands.h"
#include <stdio.h>
#include <string.h>

static const char help[] =
    "Usage: hf-devhub COMMAND [OPTIONS]\n\n"
    "  serve   [--port 0] [--data DIR | --memory] [--host 127.0.0.1] [--cdn-port 0] [--token NAME:TOKEN[:scopes]]...\n"
    "          [--ready-file FILE] [--log FILE] [--threads N] [--cdn-seconds 3600] [--resolve-cache]\n"
    "          [--upload-seconds 3600] [--part-size 64MiB] [--lfs-threshold 10MB] [--log-bodies SIZE]\n"
    "          [--rate-limit COUNT/SECONDS] [--rate-headers both]\n"
    "  add     (--data DIR | --url URL) REPO_ID [PATH | --generate SPEC] [--type model|dataset|space|kernel]\n"
    "          [--revision main] [--tag NAME] [--title TEXT] [--path-in-repo DIR] [--private | --public] [--gated "
    "[auto|manual]]\n"
    "          [--lfs PATTERN]... [--lfs-threshold BYTES] [--replace] [--delete PATH]... [--downloads N] [--likes N]\n"
    "  rename  --url URL FROM TO [--type model]\n"
    "  fault   --url URL ['kind=cut;after=1000;path=*/resolve/*;count=1']... [--clear]\n"
    "  log     --url URL [--after N]\n"
    "  reset   --url URL\n\n"
    "SPEC: tiny-model, tiny-dataset, tiny-space (with ,seed=N) or files=100,size=10KiB,seed=7[,dirs=N][,ext=bin]\n";

static const struct {
  const char *name;
  int (*run)(int argc, char **argv);
} commands[] = {
    {"serve", dh_command_serve}, {"add", dh_command_add}, {"rename", dh_command_rename},
    {"fault", dh_command_fault}, {"log", dh_command_log}, {"reset", dh_command_reset},
};

int dh_options(const char *command, const struct option_row *rows, size_t count, int argc, char **argv) {
  int kept = 0;
  for (int i = 0; i < argc; i++) {
    char *arg = argv[i];
    if (strncmp(arg, "--", 2) != 0) {
      argv[kept++] = arg;
      continue;
    }
    size_t size = strcspn(arg + 2, "="), k = 0;
    while (k < count && (strlen(rows[k].name) != size || strncmp(rows[k].name, arg + 2, size) != 0)) k++;
    const char *value = arg[2 + size] ? arg + 3 + size : NULL;
    if (k == count || (rows[k].flag && value)) {
      fprintf(stderr, "hf-devhub %s: there is no option %s; see hf-devhub --help\n", command, arg);
      return -1;
    }
    if (rows[k].flag) value = "1";
    if (!value && i + 1 < argc) value = argv[++i];
    if (!value || (rows[k].many && *rows[k].many == VALUES_MAX)) {
      fprintf(stderr, "hf-devhub %s: %s %s\n", command, arg, value ? "was given too often" : "needs a value");
      return -1;
    }
    rows[k].values[rows[k].many ? (*rows[k].many)++ : 0] = value;
  }
  return kept;
}

int main(int argc, char **argv) {
  if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0)) {
    fputs(help, stdout);
    return 0;
  }
  for (size_t i = 0; argc >= 2 && i < sizeof commands / sizeof *commands; i++)
    if (strcmp(commands[i].name, argv[1]) == 0) return commands[i].run(argc - 2, argv + 2);
  fputs(help, stderr);
  return 2;
}
