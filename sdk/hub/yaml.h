/* yaml.h - the metadata block of a card: YAML 1.1 as cards use it, read into JSON and written again.
 * Block and flow collections, plain, quoted and block scalars, comments; no anchors, aliases, tags, merge keys, complex keys.
 * A date is text; text that looks like one is written without quotes. */
#ifndef HUB_YAML_H
#define HUB_YAML_H
#include "hub.h"

enum hf_yaml_kind {
  HF_YAML_TEXT,
  HF_YAML_NULL,
  HF_YAML_TRUE,
  HF_YAML_FALSE,
  HF_YAML_INT,
  HF_YAML_BINARY,
  HF_YAML_OCTAL,
  HF_YAML_HEX,
  HF_YAML_CLOCK, /* 1:30:00 */
  HF_YAML_FLOAT,
  HF_YAML_NO_NUMBER, /* infinite or not a number: no JSON */
  HF_YAML_DATE,
  HF_YAML_RESERVED
};
/* What a plain scalar means. */
enum hf_yaml_kind hf_hub_yaml_kind(const char *word);
/* json_null() for an empty document; errors name the line. */
hf_status hf_hub_yaml_read(hf_call *, const char *text, size_t len, json_t **value);
/* Lines end with line_break; in the arena. */
hf_status hf_hub_yaml_write(hf_call *, const json_t *value, const char *line_break, const char **text);
#endif
