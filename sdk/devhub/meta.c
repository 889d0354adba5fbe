/* meta.c - derived metadata of a commit (meta.h).
 * Tags are those of the card, the facets the Hub makes of its fields (a table of rows), and what the files show.
 * Reads README.md, config.json and the header of model.safetensors, each within a bound. */
#include "meta.h"
#include "card.h"
#include "text.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { README_MAX = 1 << 20, CONFIG_MAX = 1 << 20, SAFETENSORS_MAX = 4 << 20 };

/* Card fields that become tags, with the prefix they get there. */
static const struct facet {
  const char *field, *prefix;
} facets[] = {
    {"tags", ""}, {"language", ""}, {"license", "license:"}, {"datasets", "dataset:"}, {"base_model", "base_model:"},
    {"sdk", ""},
};
static const struct facet dataset_facets[] = {
    {"task_categories", "task_categories:"},
    {"task_ids", "task_ids:"},
    {"language", "language:"},
    {"license", "license:"},
    {"size_categories", "size_categories:"},
    {"multilinguality", "multilinguality:"},
    {"tags", ""},
};

static char *file_text(struct store *s, int64_t tree, const char *path, size_t max) {
  struct entry e;
  char *text = NULL;
  if (dh_store_entry(s, tree, path, &e) != STORE_OK || e.directory) return NULL;
  return dh_blob_text(s, &e.blob, max, &text) == STORE_OK ? text : NULL;
}

static bool has_file(struct store *s, int64_t tree, const char *path) {
  struct entry e;
  return dh_store_entry(s, tree, path, &e) == STORE_OK && !e.directory;
}

static void tag_add(json_t *tags, const char *prefix, const char *value) {
  char tag[256];
  if (!value || !*value || snprintf(tag, sizeof tag, "%s%s", prefix, value) >= (int)sizeof tag) return;
  size_t i;
  json_t *old;
  json_array_foreach(tags, i, old) if (strcmp(json_string_value(old), tag) == 0) return;
  if (json_array_size(tags) < 512) json_array_append_new(tags, json_string(tag));
}

static void facet_tags(json_t *tags, const json_t *card, const struct facet *rows, size_t count) {
  for (size_t k = 0; k < count; k++) {
    const json_t *value = json_object_get(card, rows[k].field);
    if (json_is_string(value)) tag_add(tags, rows[k].prefix, json_string_value(value));
    size_t i;
    json_t *item;
    if (json_is_array(value)) json_array_foreach(value, i, item) {
        if (json_is_string(item)) tag_add(tags, rows[k].prefix, json_string_value(item));
      }
  }
}

/* Reads the first bytes of a blob of any kind. */
static char *blob_head(struct store *s, const struct blob *b, size_t size) {
  char *out = NULL;
  if ((uint64_t)b->size < size) return NULL;
  if (b->kind != BLOB_STORED && b->kind != BLOB_PACKED) {
    if (dh_blob_text(s, b, (size_t)INT32_MAX, &out) != STORE_OK) out = NULL;
    return out;
  }
  int fd;
  uint64_t offset;
  if (dh_blob_open(s, b, &fd, &offset) != STORE_OK) return NULL;
  out = malloc(size + 1);
  if (out && pread(fd, out, size, (off_t)offset) != (ssize_t)size) {
    free(out);
    out = NULL;
  }
  close(fd);
  return out;
}

static json_t *safetensors_header(struct store *s, int64_t tree) {
  struct entry e;
  if (dh_store_entry(s, tree, "model.safetensors", &e) != STORE_OK || e.directory || e.blob.kind == BLOB_GENERATED)
    return NULL;
  char *head = blob_head(s, &e.blob, 8);
  if (!head) return NULL;
  uint64_t size = 0;
  for (int i = 7; i >= 0; i--) size = size << 8 | (unsigned char)head[i];
  free(head);
  if (size > SAFETENSORS_MAX || !(head = blob_head(s, &e.blob, 8 + (size_t)size))) return NULL;
  json_t *header = json_loadb(head + 8, (size_t)size, JSON_REJECT_DUPLICATES, NULL);
  free(head);
  return header;
}

static json_t *safetensors_info(struct store *s, int64_t tree) {
  json_t *header = safetensors_header(s, tree);
  if (!json_is_object(header)) {
    json_decref(header);
    return NULL;
  }
  json_t *parameters = json_object();
  json_int_t total = 0;
  const char *name;
  json_t *tensor;
  json_object_foreach(header, name, tensor) {
    const char *dtype = json_string_value(json_object_get(tensor, "dtype"));
    if (!dtype || strcmp(name, "__metadata__") == 0) continue;
    json_int_t count = 1;
    size_t i;
    json_t *dim;
    json_array_foreach(json_object_get(tensor, "shape"), i, dim) {
      json_int_t d = json_integer_value(dim);
      count = d < 0 || (d && count > INT64_MAX / 2 / d) ? 0 : count * d;
    }
    if (total > INT64_MAX - count) continue;
    json_int_t before = json_integer_value(json_object_get(parameters, dtype));
    json_object_set_new(parameters, dtype, json_integer(before + count));
    total += count;
  }
  json_decref(header);
  return json_pack("{s:o, s:I}", "parameters", parameters, "total", total);
}

static const char *string_in(const json_t *object, const char *key) {
  return json_string_value(json_object_get(object, key));
}

static void model_meta(struct store *s, int64_t tree, json_t *meta, const json_t *card, json_t *tags) {
  char *text = file_text(s, tree, "config.json", CONFIG_MAX);
  json_t *config = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
  free(text);
  const char *library = string_in(card, "library_name"), *task = string_in(card, "pipeline_tag"),
             *kind = string_in(config, "model_type");
  const json_t *architectures = json_object_get(config, "architectures");
  if (!library && json_array_size(architectures)) library = "transformers";
  if (library) {
    tag_add(tags, "", library);
    json_object_set_new(meta, "library_name", json_string(library));
  }
  json_t *safetensors = safetensors_info(s, tree);
  if (safetensors) {
    tag_add(tags, "", "safetensors");
    json_object_set_new(meta, "safetensors", safetensors);
  }
  if (kind) tag_add(tags, "", kind);
  if (task) {
    tag_add(tags, "", task);
    json_object_set_new(meta, "pipeline_tag", json_string(task));
  }
  if (json_is_object(config)) {
    json_t *shown = json_object();
    static const char *const kept[] = {"architectures", "model_type", "quantization_config", "auto_map"};
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
      if (json_object_get(config, kept[i])) json_object_set(shown, kept[i], json_object_get(config, kept[i]));
    json_object_set_new(meta, "config", shown);
  }
  if (library && strcmp(library, "transformers") == 0) {
    const char *model = task && strcmp(task, "text-generation") == 0 ? "AutoModelForCausalLM" : "AutoModel";
    json_t *info = json_pack("{s:s}", "auto_model", model);
    if (task) json_object_set_new(info, "pipeline_tag", json_string(task));
    if (has_file(s, tree, "tokenizer.json")) json_object_set_new(info, "processor", json_string("AutoTokenizer"));
    json_object_set_new(meta, "transformersInfo", info);
  }
  json_decref(config);
}

json_t *dh_meta_make(struct store *s, enum repo_type type, int64_t tree, int64_t storage) {
  char *readme = file_text(s, tree, "README.md", README_MAX);
  json_t *card = readme ? dh_card_parse(readme) : NULL, *tags = json_array(), *meta = json_object();
  free(readme);
  if (card) json_object_set(meta, "cardData", card);
  if (type == REPO_DATASET) {
    facet_tags(tags, card, dataset_facets, sizeof dataset_facets / sizeof *dataset_facets);
  } else {
    if (type == REPO_MODEL) model_meta(s, tree, meta, card, tags);
    facet_tags(tags, card, facets, sizeof facets / sizeof *facets);
  }
  if (type == REPO_SPACE && string_in(card, "sdk")) json_object_set(meta, "sdk", json_object_get(card, "sdk"));
  tag_add(tags, "", "region:us");
  json_object_set_new(meta, "tags", tags);
  json_object_set_new(meta, "usedStorage", json_integer(storage));
  json_decref(card);
  return meta;
}
