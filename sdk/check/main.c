/* main.c - hf-plugin-check FILE [KEY=VALUE...]: judges a plugin by the rules of the ABI and, for storage backends and transfer
 * adapters, by how it behaves. What a plugin author runs before anybody else does.
 * Exit: 0 all rules hold, 1 some do not, 2 wrong usage, 3 the file could not be judged. */
#include <getopt.h>

#include "bench.h"

static const char usage[] =
    "Usage: hf-plugin-check [OPTIONS] FILE [KEY=VALUE]...\n"
    "\n"
    "  Judges a plugin: first the file and its descriptor, then every storage backend and\n"
    "  transfer adapter in it, rule by rule, each in a process of its own.\n"
    "\n"
    "  KEY=VALUE sets a configuration key of the plugin. uri=URI is where a storage backend\n"
    "  is tried; without it NAME:FOLDER with a new folder for every rule.\n"
    "\n"
    "Options:\n"
    "  --json           One JSON object per rule: rule, result (ok, failed, skipped), detail.\n"
    "  --only TEXT      Only rules whose name contains TEXT.\n"
    "  --timeout SECS   A rule that takes longer has failed. [default: 30]\n"
    "  -h, --help       Show this message and exit.\n";

int main(int argc, char **argv) {
  static const struct option options[] = {{"json", no_argument, NULL, 'j'},
                                          {"only", required_argument, NULL, 'o'},
                                          {"timeout", required_argument, NULL, 't'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
  struct asked a = {.timeout_s = 30};
  struct hf_kv settings[32];
  for (int o; (o = getopt_long(argc, argv, "h", options, NULL)) != -1;) switch (o) {
      case 'j': a.json = true; break;
      case 'o': a.only = optarg; break;
      case 't': a.timeout_s = (uint32_t)strtoul(optarg, NULL, 10); break;
      case 'h': fputs(usage, stdout); return 0;
      default: fputs(usage, stderr); return 2;
    }
  for (int i = optind; i < argc; i++) {
    char *equals = strchr(argv[i], '=');
    if (!a.file) {
      a.file = argv[i];
    } else if (!equals || a.setting_count == COUNT(settings)) {
      fprintf(stderr, "hf-plugin-check: %s is not KEY=VALUE\n", argv[i]);
      return 2;
    } else if (strncmp(argv[i], "uri=", 4) == 0) {
      a.uri = equals + 1;
    } else {
      *equals = 0;
      settings[a.setting_count++] = (struct hf_kv){argv[i], equals + 1};
    }
  }
  if (!a.file || !a.timeout_s) {
    fputs(usage, stderr);
    return 2;
  }
  a.settings = settings;
  int broken = judge(&a);
  return broken < 0 ? 3 : broken > 0;
}
