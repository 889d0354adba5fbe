/* generate.c - `--generate SPEC`: numbered files of a size from a seed, or small but complete sample repos.
 * The sample model has what loaders look for: configuration, tokenizer, weights with a valid safetensors header, a card.
 * The same spec gives the same bytes everywhere. */
#include "add.h"
#include "content.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct spec {
  uint64_t files, size, seed, dirs;
  char ext[33], kind[33], name[97];
};

static bool spec_field(struct spec *s, const char *name, const char *value) {
  if (!value) return dh_copy(s->kind, sizeof s->kind, name);
  if (strcmp(name, "files") == 0) return dh_number(value, 1000000, &s->files) && s->files > 0;
  if (strcmp(name, "size") == 0) return dh_bytes(value, &s->size);
  if (strcmp(name, "seed") == 0) return dh_number(value, INT64_MAX, &s->seed);
  if (strcmp(name, "dirs") == 0) return dh_number(value, 100000, &s->dirs);
  if (strcmp(name, "ext") == 0) return dh_copy(s->ext, sizeof s->ext, value) && !strchr(value, '/');
  if (strcmp(name, "name") == 0) return dh_copy(s->name, sizeof s->name, value) && !strchr(value, '/');
  return false;
}

static bool spec_read(struct spec *s, const char *text) {
  *s = (struct spec){.files = 1, .size = 10240, .seed = 1, .ext = "bin", .name = "file"};
  char *copy = strdup(text), *rest = copy;
  bool ok = copy != NULL;
  for (char *part; ok && rest && (part = strsep(&rest, ","));) {
    char *value = strchr(part, '=');
    if (value) *value++ = 0;
    ok = spec_field(s, part, value);
  }
  free(copy);
  if (!ok) fprintf(stderr, "hf-devhub add: cannot read the spec %s; see hf-devhub --help\n", text);
  return ok;
}

static bool numbered_files(struct addition *a, const struct spec *s) {
  for (uint64_t i = 0; i < s->files; i++) {
    char path[256], folder[32] = "", number[32] = "";
    if (s->dirs) snprintf(folder, sizeof folder, "dir-%04llu/", (unsigned long long)(i % s->dirs));
    if (s->files > 1) snprintf(number, sizeof number, "-%06llu", (unsigned long long)i);
    snprintf(path, sizeof path, "%s%s%s.%s", folder, s->name, number, s->ext);
    if (!dh_add_seed(a, path, dh_content_mix(s->seed, i), s->size)) return false;
  }
  return true;
}

static bool add_text(struct addition *a, const char *path, const char *text) {
  return dh_add_bytes(a, path, text, strlen(text));
}

static bool add_json(struct addition *a, const char *path, json_t *value) {
  char *text = value ? json_dumps(value, JSON_INDENT(2)) : NULL;
  json_decref(value);
  bool ok = text && add_text(a, path, text);
  free(text);
  return ok;
}

static const char gitattributes[] =
    "*.bin filter=lfs diff=lfs merge=lfs -text\n*.safetensors filter=lfs diff=lfs merge=lfs -text\n"
    "*.parquet filter=lfs diff=lfs merge=lfs -text\n*.gguf filter=lfs diff=lfs merge=lfs -text\n";

enum { HIDDEN = 16, LAYERS = 2, VOCABULARY = 64 };

struct tensors {
  json_t *header;
  uint64_t bytes;
};

static void tensor_add(struct tensors *t, const char *name, uint64_t rows, uint64_t columns) {
  uint64_t size = rows * (columns ? columns : 1) * 4;
  json_t *shape =
      columns ? json_pack("[I, I]", (json_int_t)rows, (json_int_t)columns) : json_pack("[I]", (json_int_t)rows);
  json_object_set_new(t->header, name,
                      json_pack("{s:s, s:o, s:[I, I]}", "dtype", "F32", "shape", shape, "data_offsets",
                                (json_int_t)t->bytes, (json_int_t)(t->bytes + size)));
  t->bytes += size;
}

static void layer_add(struct tensors *t, int layer) {
  static const struct {
    const char *name;
    uint64_t rows, columns;
  } parts[] = {{"self_attn.q_proj.weight", HIDDEN, HIDDEN},   {"self_attn.k_proj.weight", HIDDEN, HIDDEN},
               {"self_attn.v_proj.weight", HIDDEN, HIDDEN},   {"self_attn.o_proj.weight", HIDDEN, HIDDEN},
               {"mlp.gate_proj.weight", 4 * HIDDEN, HIDDEN},  {"mlp.up_proj.weight", 4 * HIDDEN, HIDDEN},
               {"mlp.down_proj.weight", HIDDEN, 4 * HIDDEN},  {"input_layernorm.weight", HIDDEN, 0},
               {"post_attention_layernorm.weight", HIDDEN, 0}};
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    char name[96];
    snprintf(name, sizeof name, "model.layers.%d.%s", layer, parts[i].name);
    tensor_add(t, name, parts[i].rows, parts[i].columns);
  }
}

static bool add_weights(struct addition *a, uint64_t seed) {
  struct tensors t = {.header = json_pack("{s:{s:s}}", "__metadata__", "format", "pt")};
  tensor_add(&t, "model.embed_tokens.weight", VOCABULARY, HIDDEN);
  for (int i = 0; i < LAYERS; i++) layer_add(&t, i);
  tensor_add(&t, "model.norm.weight", HIDDEN, 0);
  tensor_add(&t, "lm_head.weight", VOCABULARY, HIDDEN);
  char *header = t.header ? json_dumps(t.header, JSON_COMPACT) : NULL;
  json_decref(t.header);
  if (!header) return false;
  struct text file = {0};
  size_t size = strlen(header), padded = (size + 7) / 8 * 8;
  for (int i = 0; i < 8; i++) dh_text_add(&file, (char[]){(char)(padded >> (8 * i))}, 1);
  dh_text_str(&file, header);
  for (size_t i = size; i < padded; i++) dh_text_str(&file, " ");
  free(header);
  for (uint64_t i = 0; i < t.bytes / 4; i++) {
    uint32_t word;
    dh_content_fill(seed, i * 4, &word, 4);
    float weight = ((float)(word & 0xffff) / 65536.0f - 0.5f) * 0.1f;
    dh_text_add(&file, &weight, 4);
  }
  bool ok = !file.failed && dh_add_bytes(a, "model.safetensors", file.data, file.size);
  dh_text_free(&file);
  return ok;
}

static json_t *tokenizer(void) {
  json_t *words = json_pack("{s:i, s:i, s:i}", "<unk>", 0, "<s>", 1, "</s>", 2);
  for (int i = 3; i < VOCABULARY; i++) {
    char word[8];
    snprintf(word, sizeof word, "w%d", i);
    json_object_set_new(words, word, json_integer(i));
  }
  json_t *added = json_array();
  static const char *const special[] = {"<unk>", "<s>", "</s>"};
  for (int i = 0; i < 3; i++)
    json_array_append_new(added, json_pack("{s:i, s:s, s:b, s:b, s:b, s:b, s:b}", "id", i, "content", special[i],
                                           "single_word", 0, "lstrip", 0, "rstrip", 0, "normalized", 0, "special", 1));
  return json_pack("{s:s, s:n, s:n, s:o, s:n, s:{s:s}, s:n, s:n, s:{s:s, s:o, s:s}}", "version", "1.0", "truncation",
                   "padding", "added_tokens", added, "normalizer", "pre_tokenizer", "type", "Whitespace",
                   "post_processor", "decoder", "model", "type", "WordLevel", "vocab", words, "unk_token", "<unk>");
}

static bool tiny_model(struct addition *a, const struct spec *s, const char *repo) {
  struct text card = {0};
  dh_text_addf(
      &card,
      "---\nlicense: apache-2.0\nlanguage:\n- en\nlibrary_name: transformers\npipeline_tag: text-generation\n"
      "tags:\n- devhub\n- tiny\ndatasets:\n- devhub/words\n---\n\n# %s\n\nA tiny random model (seed %llu) for tests; "
      "it says nothing useful.\n",
      repo, (unsigned long long)s->seed);
  bool ok = !card.failed && add_text(a, ".gitattributes", gitattributes) && add_text(a, "README.md", card.data);
  dh_text_free(&card);
  ok = ok && add_json(a, "config.json",
                      json_pack("{s:[s], s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:s, s:s}", "architectures",
                                "LlamaForCausalLM", "model_type", "llama", "hidden_size", HIDDEN, "intermediate_size",
                                4 * HIDDEN, "num_hidden_layers", LAYERS, "num_attention_heads", 2,
                                "num_key_value_heads", 2, "vocab_size", VOCABULARY, "bos_token_id", 1, "eos_token_id",
                                2, "hidden_act", "silu", "torch_dtype", "float32"));
  ok = ok && add_json(a, "generation_config.json", json_pack("{s:i, s:i}", "bos_token_id", 1, "eos_token_id", 2));
  ok = ok && add_json(a, "special_tokens_map.json",
                      json_pack("{s:s, s:s, s:s}", "bos_token", "<s>", "eos_token", "</s>", "unk_token", "<unk>"));
  ok = ok && add_json(a, "tokenizer_config.json",
                      json_pack("{s:s, s:s, s:s, s:i, s:s}", "bos_token", "<s>", "eos_token", "</s>", "unk_token",
                                "<unk>", "model_max_length", 128, "tokenizer_class", "PreTrainedTokenizerFast"));
  return ok && add_json(a, "tokenizer.json", tokenizer()) && add_weights(a, s->seed);
}

static bool rows_file(struct addition *a, const char *path, uint64_t seed, int rows) {
  struct text t = {0};
  for (int i = 0; i < rows; i++)
    dh_text_addf(&t, "{\"id\":%d,\"text\":\"w%llu w%llu\",\"label\":%llu}\n", i,
                 (unsigned long long)(dh_content_mix(seed, (uint64_t)i) % VOCABULARY),
                 (unsigned long long)(dh_content_mix(seed, (uint64_t)i + 1000) % VOCABULARY),
                 (unsigned long long)(dh_content_mix(seed, (uint64_t)i + 2000) % 2));
  bool ok = !t.failed && dh_add_bytes(a, path, t.data, t.size);
  dh_text_free(&t);
  return ok;
}

static bool tiny_dataset(struct addition *a, const struct spec *s, const char *repo) {
  struct text card = {0};
  dh_text_addf(&card,
               "---\nlicense: mit\nlanguage:\n- en\ntask_categories:\n- text-classification\nsize_categories:\n- n<1K\n"
               "pretty_name: Words\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    path: "
               "data/train.jsonl\n"
               "  - split: test\n    path: data/test.jsonl\n---\n\n# %s\n\nRandom words (seed %llu) for tests.\n",
               repo, (unsigned long long)s->seed);
  bool ok = !card.failed && add_text(a, ".gitattributes", gitattributes) && add_text(a, "README.md", card.data);
  dh_text_free(&card);
  return ok && rows_file(a, "data/train.jsonl", s->seed, 100) && rows_file(a, "data/test.jsonl", s->seed + 1, 20);
}

static bool tiny_space(struct addition *a, const struct spec *s, const char *repo) {
  (void)s;
  (void)repo;
  return add_text(a, ".gitattributes", gitattributes) &&
         add_text(a, "README.md",
                  "---\ntitle: Tiny\nemoji: \"\\U0001F331\"\nsdk: gradio\nsdk_version: 5.0.0\napp_file: "
                  "app.py\npinned: false\n"
                  "license: apache-2.0\nmodels:\n- devhub/tiny\n---\n\nA space for tests.\n") &&
         add_text(a, "app.py",
                  "import gradio as gr\n\ngr.Interface(lambda text: text, \"text\", \"text\").launch()\n") &&
         add_text(a, "requirements.txt", "gradio\n");
}

static const struct {
  const char *kind;
  bool (*make)(struct addition *a, const struct spec *s, const char *repo);
} samples[] = {{"tiny-model", tiny_model}, {"tiny-dataset", tiny_dataset}, {"tiny-space", tiny_space}};

bool dh_add_generated(struct addition *a, const char *text, const char *repo) {
  struct spec s;
  if (!spec_read(&s, text)) return false;
  if (!s.kind[0]) return numbered_files(a, &s);
  for (size_t i = 0; i < sizeof samples / sizeof *samples; i++)
    if (strcmp(samples[i].kind, s.kind) == 0) return samples[i].make(a, &s, repo);
  fprintf(stderr, "hf-devhub add: there is no sample %s; see hf-devhub --help\n", s.kind);
  return false;
}
