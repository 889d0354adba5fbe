/* api_yaml.c - POST validate-yaml: is the front matter of a README.md fit for a card?
 * What the reader of cards (card.h) cannot read is an error, so are fields of a wrong kind (a table); an empty card is a
 * warning. Errors are answered with 400, as on the Hub. */
#include "body.h"
#include "card.h"
#include "server.h"
#include <string.h>

enum { TEXT = 1, LIST = 2, OBJECT = 4, FLAG = 8 };

static const struct field {
  const char *name;
  unsigned kinds;
  unsigned types; /* of repos, as bits; 0: all */
} fields[] = {
    {"license", TEXT | LIST, 0},
    {"license_name", TEXT, 0},
    {"license_link", TEXT, 0},
    {"language", TEXT | LIST, 0},
    {"tags", LIST | TEXT, 0},
    {"library_name", TEXT, 1u << REPO_MODEL},
    {"pipeline_tag", TEXT, 1u << REPO_MODEL},
    {"base_model", TEXT | LIST, 1u << REPO_MODEL},
    {"datasets", TEXT | LIST, 0},
    {"metrics", TEXT | LIST, 0},
    {"model-index", LIST, 1u << REPO_MODEL},
    {"task_categories", TEXT | LIST, 1u << REPO_DATASET},
    {"size_categories", TEXT | LIST, 1u << REPO_DATASET},
    {"pretty_name", TEXT, 1u << REPO_DATASET},
    {"dataset_info", LIST | OBJECT, 1u << REPO_DATASET},
    {"configs", LIST, 1u << REPO_DATASET},
    {"title", TEXT, 1u << REPO_SPACE},
    {"sdk", TEXT, 1u << REPO_SPACE},
    {"emoji", TEXT, 1u << REPO_SPACE},
    {"pinned", FLAG, 1u << REPO_SPACE},
};

static unsigned kind_of(const json_t *value) {
  if (json_is_string(value) || json_is_number(value)) return TEXT;
  if (json_is_array(value)) return LIST;
  if (json_is_object(value)) return OBJECT;
  return json_is_boolean(value) ? FLAG : 0;
}

static void message_add(json_t *list, json_t *text) {
  json_array_append_new(list, json_pack("{s:o}", "message", text));
}

static void fields_check(const json_t *card, enum repo_type type, json_t *errors) {
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
    const struct field *f = &fields[i];
    const json_t *value = json_object_get(card, f->name);
    if (!value || json_is_null(value) || (f->types && !(f->types & (1u << type)))) continue;
    if (!(kind_of(value) & f->kinds))
      message_add(errors, json_sprintf("\"%s\" must be %s", f->name,
                                       f->kinds & TEXT   ? f->kinds & LIST ? "a string or an array" : "a string"
                                       : f->kinds & FLAG ? "a boolean"
                                                         : "an array"));
  }
  const char *sdk = json_string_value(json_object_get(card, "sdk"));
  static const char *const sdks[] = {"gradio", "streamlit", "docker", "static"};
  bool known = !sdk || type != REPO_SPACE;
  for (size_t i = 0; !known && i < sizeof sdks / sizeof *sdks; i++) known = strcmp(sdk, sdks[i]) == 0;
  if (!known) message_add(errors, json_string("\"sdk\" must be one of [gradio, streamlit, docker, static]"));
}

static bool has_front_matter(const char *text) {
  return strncmp(text, "---\n", 4) == 0 || strncmp(text, "---\r\n", 5) == 0;
}

void dh_validate_yaml(struct request *r) {
  json_t *body = dh_body_object(r);
  if (!body) return;
  const char *text = dh_json_text(body, "content", NULL), *type_name = dh_json_text(body, "repoType", "model");
  int type = dh_repo_type_find(type_name, strlen(type_name));
  json_t *errors = json_array(), *warnings = json_array();
  if (!text || type < 0) {
    message_add(errors, json_string("\"content\" and \"repoType\" are required"));
  } else if (!has_front_matter(text)) {
    message_add(warnings, json_string("empty or missing yaml metadata in repo card"));
  } else {
    json_t *card = dh_card_parse(text);
    if (!card) message_add(errors, json_string("Invalid YAML in the metadata of the card"));
    if (card && !json_object_size(card))
      message_add(warnings, json_string("empty or missing yaml metadata in repo card"));
    if (card) fields_check(card, (enum repo_type)type, errors);
    json_decref(card);
  }
  int status = json_array_size(errors) ? 400 : 200;
  dh_reply_json(r, status, json_pack("{s:o, s:o}", "errors", errors, "warnings", warnings));
  json_decref(body);
}
