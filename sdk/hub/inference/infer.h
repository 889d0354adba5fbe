/* infer.h - what the files of inference share: one call on its way from arguments to a result.
 * A call is run by inf_run(): provider and key are chosen, the model is looked up, the request is made, sent and watched,
 * the answer becomes a record or media. Private to sdk/hub. */
#ifndef INFER_H
#define INFER_H
#include <hf/provider.h>

#include "hub.h"

#define INF_ROUTER     "https://router.huggingface.co"
#define INF_HUB_HOST   "https://huggingface.co"
#define INF_JSON_MAX   (64u << 20)  /* answers that are JSON */
#define INF_EVENT_MAX  (16u << 20)  /* one event of a stream */
#define INF_MEDIA_MAX  (256u << 20) /* media that is kept in memory */
#define INF_INPUT_MAX  (256u << 20)
#define INF_TRIES      3u  /* of a POST that did nothing */
#define INF_PATIENCE_S 60u /* longest Retry-After of a POST that is waited for */
#define INF_LOOKS      4u  /* of a look-up, a poll or a download */

/* ---- tasks.c: what the tasks are called and take ---------------------------------------------------------------------- */

enum inf_kind { INF_RECORD, INF_OBJECT, INF_EITHER, INF_FIRST, INF_INNER, INF_VECTORS, INF_TEXT, INF_CHAT, INF_MEDIA };
struct inf_task {
  const char *name, *method; /* "text-to-image", "text_to_image" */
  const char *text, *media;  /* argument of --text, of --file; NULL */
  const char *needs;         /* arguments that must be there, space separated */
  enum inf_kind kind;
  const char *suffix; /* of a file with the result, when its type is not known */
  const char *summary;
  struct hf_table params; /* struct hf_param: what can be said beside text and media */
};
extern const struct inf_task inf_tasks[];
extern const uint32_t inf_task_count;
const struct inf_task *inf_task_find(const char *name); /* NULL: not one of ours */

/* ---- what is asked for ------------------------------------------------------------------------------------------------- */

struct inf_bytes {
  const char *name; /* argument */
  const void *data;
  size_t len;
  const char *type; /* NULL: not known */
};
struct inf_ask {
  const char *task, *provider, *model, *base_url;
  const char *api_key, *api_key_env, *bill_to;
  struct hf_table headers;       /* rows: struct hf_kv */
  json_t *args;                  /* arguments by name; borrowed */
  bool args_free;                /* nobody looks at args any more: the call may change them */
  bool as_text;                  /* a record as text is as good */
  const struct inf_bytes *media; /* arguments that are bytes */
  uint32_t media_count;
  uint32_t timeout_ms, first_ms; /* of the POST; until the first item of a stream */
  uint32_t silence_ms;           /* of a stream, between pieces; 0: timeout_ms */
  bool stream;
  bool fails_over; /* another provider follows: failures may be quiet */
  void *arg;
  hf_status (*item)(hf_call *, void *arg, json_t *item);                  /* of a stream; borrowed */
  hf_status (*media_out)(hf_call *, void *arg, const void *data, size_t); /* NULL: media stays in memory */
};
struct inf_answer {
  json_t *json; /* the record; NULL: media, a stream, or written in text */
  char *text;
  size_t text_len;
  json_t *usage; /* what the answer says of it; NULL */
  char *data;    /* media in memory */
  size_t len, cap;
  uint64_t total;   /* bytes of media */
  const char *type; /* of the media; arena; NULL */
};
void inf_answer_free(struct inf_answer *);

/* ---- one call ------------------------------------------------------------------------------------------------------------ */

enum inf_key { INF_NO_KEY, INF_GIVEN_KEY, INF_PROVIDER_KEY, INF_HUB_KEY };
struct inf_media {
  const char *name; /* argument; NULL: none */
  const char *url;  /* http(s) or data: URL as given; NULL */
  const void *data;
  size_t len;
  const char *type;
  bool loaded;
};
struct inf {
  struct hf_hub hub;
  hf_call *c;
  const struct inf_ask *ask;
  const struct inf_task *spec;
  struct inf_answer *answer;
  json_t *args; /* what the template sees; owned */
  json_t *late; /* of extra_body, named like an input: sent beside it; owned; NULL */
  json_t *keep; /* array: values made for hooks */
  struct inf_media media;
  const char *provider;
  const struct hf_provider *pv;
  const struct hf_pv_task *row;
  const char *model, *call_model; /* for URL and mapping; the call's own */
  const char *body_model;         /* what extra_body names; NULL */
  const char *id;                 /* the provider's name of it */
  const char *adapter;            /* LoRA weights; NULL */
  bool is_url;                    /* the model is a URL */
  bool routed;
  enum inf_key key_from;
  const char *key, *key_origin; /* "environment GROQ_API_KEY": where it came from */
  const char *router;           /* INF_ROUTER, or what HF_INFERENCE_ENDPOINT says */
  const char *url;
  struct hf_pv_host pv_host;
  /* what a poll_next hook asked for */
  const char *next_url, *asked_url;
  uint32_t next_wait, next_flags;
  bool delivered; /* something reached the caller */
  bool sent;      /* the POST was tried */
  bool accepted;  /* and taken: never a second one */
};
hf_status inf_run(hf_call *, hf_out *, const struct inf_ask *, struct inf_answer *);
hf_status inf_fail(struct inf *, hf_status, const char *cls, const char *fmt, ...) HF_PRINTF(4, 5);
json_t *inf_mine(struct inf *, json_t *new_value); /* the call frees it */

/* ---- body.c: templates ----------------------------------------------------------------------------------------------------- */

/* What a template may ask for. Values are new references; NULL: not there. */
struct inf_body {
  const json_t *args, *late; /* late: NULL, or members that "..." adds whatever was taken */
  json_t *(*argument)(void *, const char *name, const json_t *value); /* NULL: as it is */
  const char *(*word)(void *, const char *name);                      /* $name */
  void *arg;
  bool keep_nulls;
  bool share; /* nobody changes what comes out: values may be the arguments' own */
};
/* NULL: *why says what is wrong with the template. */
json_t *inf_body_make(const char *template, const struct inf_body *, char why[160]);
json_t *inf_without_nulls(const json_t *);                  /* a copy: members that are null are gone, at every depth */
const json_t *inf_at(const json_t *, const char *path);     /* "a.b.0"; NULL or "": itself */
const json_t *inf_first(const json_t *, const char *paths); /* "a.b|c": the first that is there and not null */
hf_status inf_put(json_t *object, const char *path, json_t *value); /* takes value; NULL removes */

/* ---- media.c ------------------------------------------------------------------------------------------------------------------ */

const char *inf_type_of(const char *path);                         /* by extension; NULL: not known */
const char *inf_suffix_of(const char *type);                       /* ".png"; NULL: not known */
char *inf_base64(const void *, size_t);                            /* malloc'ed */
bool inf_unbase64(const char *, size_t, void **data, size_t *len); /* malloc'ed; blanks are skipped */
/* "https://..", "data:..", "@path", "@@path". */
hf_status inf_media_name(struct inf *, const char *argument, const char *text);
hf_status inf_media_load(struct inf *);                               /* URLs are fetched, without credentials */
json_t *inf_media_json(struct inf *, uint32_t how, const char *mime); /* NULL: error set */
hf_status inf_data_url(struct inf *, const char *url, void **data, size_t *len, const char **type);

/* ---- choose.c: provider, key, model -------------------------------------------------------------------------------------------- */

hf_status inf_choose(struct inf *);
const char *inf_chat_url(hf_call *, const char *url);

/* ---- keys.c: which key, and where it may go -------------------------------------------------------------------------- */

hf_status inf_choose_key(struct inf *);
bool inf_is_url(const char *);
bool inf_hf_host(const char *url); /* of Hugging Face: may see a token of the Hub */
/* The token of the Hub for an endpoint, when it may go there: a host of Hugging Face, or one that a section of hf.conf names.
 * *origin: where it came from; NULL: none goes. */
hf_status inf_endpoint_key(struct hf_hub *, const char *url, const char **key, const char **origin);
/* "GROQ_API_KEY": key_env of the provider (NULL: by its name). */
const char *inf_key_variable(hf_call *, const char *provider, const char *key_env);

/* ---- request.c ------------------------------------------------------------------------------------------------------------------- */

struct inf_body_bytes {
  char *data;
  size_t len;
  const char *type; /* NULL: not said */
};
hf_status inf_make_url(struct inf *);
hf_status inf_make_body(struct inf *, struct inf_body_bytes *);
/* begun: of a stream, set with its first item. */
hf_status inf_post(struct inf *, const struct inf_body_bytes *,
                   hf_status (*on_data)(hf_call *, void *, const void *, size_t), void *arg, const uint8_t *begun,
                   struct hf_http_resp *);
/* A GET that belongs to the call: a poll or its result; with the key unless `open`. The answer parsed, borrowed. */
hf_status inf_get(struct inf *, const char *url, bool open, const json_t **answer);
void inf_cancel_job(struct inf *, const char *url); /* tells the provider, once, best effort */
/* A GET without any credential. */
/* Whether a look-up that failed is tried again; waits before it says so. status 0: there was no answer. */
bool inf_look_again(struct inf *, uint32_t n, uint32_t status, uint32_t wish_ms);
hf_status inf_get_open(struct inf *, const char *url, uint64_t max,
                       hf_status (*on_data)(hf_call *, void *, const void *, size_t), void *arg, struct hf_http_resp *);
hf_status inf_judge(struct inf *, const struct hf_http_req *, const struct hf_http_resp *, hf_status st);
hf_status inf_parse(struct inf *, const char *text, size_t len, const char *what, const json_t **); /* borrowed */
bool inf_tgi_error(struct inf *, const json_t *answer, uint32_t status, hf_status *st);

/* ---- poll.c, stream.c, answer.c, records.c, hooks.c --------------------------------------------------------------------------------- */

hf_status inf_poll(struct inf *, const json_t *posted, const json_t **last);
hf_status inf_stream(struct inf *, const struct inf_body_bytes *);
hf_status inf_take(struct inf *, const json_t *answer); /* of the last answer makes the result */
/* The same without making values of it, where text is wanted and nothing in it changes. False: inf_take() it. */
bool inf_take_text(struct inf *, const struct hf_http_resp *);
hf_status inf_take_raw(struct inf *, const struct inf_body_bytes *);
hf_status inf_shape(struct inf *, json_t *value, json_t **record); /* takes value */
bool inf_plain_name(const char *, size_t);                         /* as members of records are called */
json_t *inf_item(struct inf *, json_t *payload);       /* of a stream: what is yielded; takes payload; NULL: nothing */
hf_status inf_add(struct inf *, const void *, size_t); /* bytes of media, to where they go */
void inf_hooks(struct inf *);

/* hook_call.c: runs a hook of the call's row, with a time limit; what the hook answered, or the error. */
struct inf_hook {
  enum { INF_PREPARE, INF_PARSE, INF_POLL_NEXT, INF_EVENT } which;
  json_t *body;          /* prepare */
  const json_t *answer;  /* the others */
  uint32_t n;            /* poll_next */
  const hf_json *result; /* parse, event */
};
hf_status inf_hook_call(struct inf *, struct inf_hook *);
void inf_hook_in(void); /* around every function that a hook may call */
void inf_hook_out(void);
void inf_hook_waits(bool begins); /* for the network: time that is not the hook's own */
#define INF_JSON(j)  ((const hf_json *)(const void *)(j))
#define INF_VALUE(h) ((json_t *)(uintptr_t)(const void *)(h))

/* Rows of `hf inference`. */
extern const struct hf_tasks hf_hub_tasks_inference;
hf_status inf_task_run(hf_call *, const char *task, const hf_args *, hf_out *);
hf_status inf_task_chat(hf_call *, void *, const hf_args *, hf_out *);
hf_status inf_task_providers(hf_call *, void *, const hf_args *, hf_out *);
hf_status inf_task_models(hf_call *, void *, const hf_args *, hf_out *);
hf_status inf_task_info(hf_call *, void *, const hf_args *, hf_out *);
hf_status inf_task_serve(hf_call *, void *, const hf_args *, hf_out *);
hf_status inf_task_health(hf_call *, void *, const hf_args *, hf_out *);
#endif
