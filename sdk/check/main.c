/* main.c - hf-plugin-check FILE [KEY=VALUE...]: judges a plugin by the rules of the ABI and, for storage backends and transfer
 * adapters, by how it behaves. What a plugin author runs before anybody else does.
 * Exit: 0 all rules hold, 1 some do not, 2 wrong usage, 3 the file could not be judged. */
#include <getopt.h>
#include <time.h>

#include "bench.h"

static const char usage[] =
    "Usage: hf-plugin-check [OPTIONS] FILE [KEY=VALUE]...\n"
    "\n"
    "  Judges a plugin: first the file and its descriptor, then every storage backend,\n"
    "  transfer adapter and provider in it, rule by rule, each in a process of its own.\n"
    "\n"
    "  KEY=VALUE sets a configuration key of the plugin. uri=URI is where a storage backend\n"
    "  is tried; without it NAME:FOLDER with a new folder for every rule.\n"
    "\n"
    "Options:\n"
    "  --json           One JSON object per rule: rule, result (ok, failed, skipped), detail.\n"
    "  --only TEXT      Only rules whose name contains TEXT.\n"
    "  --timeout SECS   A rule that takes longer has failed. [default: 30]\n"
    "  --jobs N         Rules that are tried at the same time, at most 32. [default: 4]\n"
    "  --cases FILE     Calls of a provider: what it must send, and what must come of the\n"
    "                   answers (docs/providers.md). [default: cases.json beside FILE]\n"
    "  --faults         With calls that fail on purpose: a rule holds when it ends well or with\n"
    "                   the very fault, and holds in the same place again without faults.\n"
    "  --seed N         Which calls --faults strikes. [default: another one each time; printed]\n"
    "  --layers SPEC    The same with other layers than faults, as in HF_LAYERS.\n"
    "                   [default: $HF_LAYERS]\n"
    "  --list           The names of all rules, and nothing is tried.\n"
    "  -h, --help       Show this message and exit.\n";

/* 0: it is none. */
static uint32_t number(const char *text) {
  char *end;
  unsigned long n = strtoul(text, &end, 10);
  return *end || n > 1000000 ? 0 : (uint32_t)n;
}

int main(int argc, char **argv) {
  static const struct option options[] = {{"json", no_argument, NULL, 'j'},
                                          {"only", required_argument, NULL, 'o'},
                                          {"timeout", required_argument, NULL, 't'},
                                          {"jobs", required_argument, NULL, 'n'},
                                          {"cases", required_argument, NULL, 'c'},
                                          {"faults", no_argument, NULL, 'f'},
                                          {"seed", required_argument, NULL, 's'},
                                          {"layers", required_argument, NULL, 'l'},
                                          {"list", no_argument, NULL, 'L'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
  struct asked a = {.timeout_s = 30, .jobs = 4, .layers = getenv("HF_LAYERS"), .seed = (uint32_t)time(NULL) % 1000000};
  struct hf_kv settings[32];
  for (int o; (o = getopt_long(argc, argv, "h", options, NULL)) != -1;) switch (o) {
      case 'j': a.json = true; break;
      case 'o': a.only = optarg; break;
      case 't': a.timeout_s = number(optarg); break;
      case 'n': a.jobs = number(optarg); break;
      case 'c': a.cases = optarg; break;
      case 'f': a.faults = true; break;
      case 's': a.seed = number(optarg); break;
      case 'l': a.layers = optarg; break;
      case 'L': judge_list(); return 0;
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
  if (a.layers && !*a.layers) a.layers = NULL;
  if (!a.file || !a.timeout_s || !a.jobs || a.jobs > 32) {
    fputs(usage, stderr);
    return 2;
  }
  a.settings = settings;
  int broken = judge(&a);
  return broken < 0 ? 3 : broken > 0;
}
