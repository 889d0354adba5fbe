/* layer_option.c - reads one option of a layer: "key=value,key=value".
 * What is absent, too long or no number counts as not given.
 * Nothing here allocates. */
#include <stdlib.h>

#include "layer.h"

bool hf_layer_text(const char *spec, const char *key, char *out, size_t room) {
  size_t k = strlen(key);
  while (*spec) {
    size_t n = strcspn(spec, ",");
    if (n > k && spec[k] == '=' && strncmp(spec, key, k) == 0) {
      if (n - k - 1 >= room) return false;
      memcpy(out, spec + k + 1, n - k - 1);
      out[n - k - 1] = 0;
      return true;
    }
    spec += n + (spec[n] == ',');
  }
  return false;
}

double hf_layer_number(const char *spec, const char *key, double deflt) {
  char text[64], *end;
  if (!hf_layer_text(spec, key, text, sizeof text)) return deflt;
  double v = strtod(text, &end);
  return end != text && v >= 0 ? v : deflt;
}
