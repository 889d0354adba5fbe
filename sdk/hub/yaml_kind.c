/* yaml_kind.c - what a word without quotes means in YAML 1.1: null, truth, a number, a date, or itself.
 * A table of patterns, the first that fits counts.
 * Reader and writer share it: text that would mean something else needs quotes. */
#include "yaml.h"

#include <pthread.h>
#include <regex.h>
#include <string.h>

#define DIGITS "[0-9][0-9_]*"
static const struct {
  enum hf_yaml_kind kind;
  const char *pattern;
} patterns[] = {
    {HF_YAML_NULL, "^(~|null|Null|NULL|)$"},
    {HF_YAML_TRUE, "^(yes|Yes|YES|true|True|TRUE|on|On|ON)$"},
    {HF_YAML_FALSE, "^(no|No|NO|false|False|FALSE|off|Off|OFF)$"},
    {HF_YAML_BINARY, "^[-+]?0b[01_]+$"},
    {HF_YAML_OCTAL, "^[-+]?0[0-7_]+$"},
    {HF_YAML_INT, "^[-+]?(0|[1-9][0-9_]*)$"},
    {HF_YAML_HEX, "^[-+]?0x[0-9a-fA-F_]+$"},
    {HF_YAML_CLOCK, "^[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+\\.[0-9_]*$"},
    {HF_YAML_CLOCK, "^[-+]?[1-9][0-9_]*(:[0-5]?[0-9])+$"},
    {HF_YAML_FLOAT, "^[-+]?" DIGITS "\\.[0-9_]*([eE][-+][0-9]+)?$"},
    {HF_YAML_FLOAT, "^\\." DIGITS "([eE][-+][0-9]+)?$"},
    {HF_YAML_NO_NUMBER, "^([-+]?\\.(inf|Inf|INF)|\\.(nan|NaN|NAN))$"},
    {HF_YAML_DATE, "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"},
    {HF_YAML_DATE,
     "^[0-9]{4}-[0-9][0-9]?-[0-9][0-9]?([Tt]|[ \t]+)[0-9][0-9]?:[0-9]{2}:[0-9]{2}(\\.[0-9]*)?([ \t]*(Z|"
     "[-+][0-9][0-9]?(:[0-9]{2})?))?$"},
    {HF_YAML_RESERVED, "^(=|<<)$"},
};
static regex_t compiled[HF_COUNT(patterns)];
static bool usable[HF_COUNT(patterns)];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void compile(void) {
  for (size_t i = 0; i < HF_COUNT(patterns); i++)
    usable[i] = regcomp(&compiled[i], patterns[i].pattern, REG_EXTENDED | REG_NOSUB) == 0;
}

enum hf_yaml_kind hf_hub_yaml_kind(const char *word) {
  if (strlen(word) > 64) return HF_YAML_TEXT;
  pthread_once(&once, compile);
  for (size_t i = 0; i < HF_COUNT(patterns); i++)
    if (usable[i] && regexec(&compiled[i], word, 0, NULL, 0) == 0) return patterns[i].kind;
  return HF_YAML_TEXT;
}
