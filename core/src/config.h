/* config.h - the table of configuration keys (settings.c) and the parsing of single values (value.c), as config.c uses
 * them to build the layers: option, environment, hf.conf, default.
 * Private to these files. */
#ifndef HF_CONFIG_H
#define HF_CONFIG_H
#include "core.h"

enum hf_key_kind {
  HF_KEY_TEXT,
  HF_KEY_PATH, /* ~ and $VAR are expanded */
  HF_KEY_FLAG, /* 1, ON, YES, TRUE in any case; all else is false */
  HF_KEY_INT,  /* anything but a whole number is an error at start */
  HF_KEY_SIZE, /* bytes; K, M, G, T follow */
  HF_KEY_URL,  /* "/" at the end is dropped */
  HF_KEY_TOKEN /* line breaks and blanks around it are dropped */
};
enum {
  HF_KEY_SECRET = 1,       /* never shown */
  HF_KEY_EMPTY = 2,        /* set to nothing counts as set */
  HF_KEY_ANY = 4,          /* true when any of its variables is */
  HF_KEY_ZERO_DEFAULT = 8, /* 0 means the default */
  HF_KEY_NO_FILE = 16      /* says where hf.conf is, so it cannot come from there */
};
struct hf_key_row {
  const char *key, *alias; /* alias: the spelling that reads well in hf.conf, NULL: none */
  const char *env;         /* variables, comma separated, the first that is set counts; NULL: the key */
  enum hf_key_kind kind;
  uint32_t flags;
  const char *deflt;   /* "{KEY}" stands for the value of an earlier row, "{^KEY}" for the folder it is in */
  const char *staging; /* instead of any other value but an option when HUGGINGFACE_CO_STAGING is on */
  const char *help;
};
extern const struct hf_key_row hf_key_rows[];
extern const uint32_t hf_key_count;
/* The row that has this name as key, alias or variable; hf_key_count: none. */
uint32_t hf_key_find(const char *name);
/* Does the comma-separated list hold this name? */
bool hf_key_listed(const char *list, const char *name);

bool hf_value_flag(const char *);
bool hf_value_int(const char *, int64_t *);  /* as Python's int(): blanks around, sign, "_" between digits */
bool hf_value_size(const char *, int64_t *); /* 48M, 48MiB (1024), 48MB (1000) */
/* ~, ~user, $VAR and ${VAR}; what cannot be expanded stays. NULL: out of memory. */
char *hf_value_path(struct hf_arena *, const char *);

/* conffile.c: each "key = value" of the file, "[section]" in front as "section."; complaints in words go to complain().
 * HF_ENOTFOUND: no file, or none that may be trusted. */
struct hf_conf_reader {
  void *arg;
  void (*pair)(void *arg, const char *key, const char *value, unsigned line);
  void (*complain)(void *arg, const char *text);
};
hf_status hf_conf_read(const char *path, const struct hf_conf_reader *);
#endif
