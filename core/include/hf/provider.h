/* hf/provider.h - an inference provider: const rows, one per task it serves, and optional hooks in plain C.
 * A reader of a provider's file must see which request is sent. A provider does no I/O, never sleeps, and never sees a key
 * or token: the host chooses keys and routing, maps models, loads media, sends, retries, frames streams, keeps the polling
 * clock, downloads results and shapes records. A chat provider in full:
 *
 *   static const struct hf_pv_task tasks[] = {
 *       {.task = "conversational", .route = "/openai/v1/chat/completions",
 *        .body = "{model: $model, messages: $.messages, ...}", .stream = HF_PV_STREAM_CHAT},
 *   };
 *   static const struct hf_provider groq = {
 *       .m = HF_MODULE(hf_provider, HF_KIND_PROVIDER, "groq", "Groq", HF_THREADS_ANY, 10, 0),
 *       .base_url = "https://api.groq.com", .tasks = HF_TABLE(tasks)};
 *   HF_PROVIDER(groq, "groq", "1.0.0", "Apache-2.0", 10);
 *
 * The body. A template in JSON, with names as they are and 'single' quotes, that says how the request is made of the call:
 *   $.prompt             the argument "prompt" of the call; $.target_size.width: a piece of one. It is taken: not in "...".
 *   ...                  here go all arguments that the template does not take, as members; nulls are left out
 *   key: $.seed          null when the call does not have it;   $.seed|7: then 7
 *   key?: VALUE          the whole member is left out, and nothing taken, when something in VALUE is not there
 *   $.seed[mode=fixed]   the argument "seed" when "mode" is the text "fixed"; else as if it were not there
 *   -cfg_scale           this argument is not sent
 *   '{width}x{height}'   a string with arguments in it (they are taken)
 *   $model               the provider's name of the model;  $version: what follows its first ":"
 *   $call_model          what the call named beside its provider's model;  $name: that, else the model, when it is no URL
 *   $lora                for LoRA models: URL of the weights;   $lora_repo: URL of the repo
 * Later members replace earlier ones of the same name. Arguments have the names of the reference client's methods: prompt,
 * text, messages, image, audio ...; an argument that is a file, bytes or a URL is put in as `media` says. */
#ifndef HF_PROVIDER_H
#define HF_PROVIDER_H
#include <hf/plugin.h>

typedef struct hf_json hf_json; /* a JSON value of the running call; never freed by a hook */

/* What is sent. */
enum {
  HF_PV_JSON = 0,
  HF_PV_RAW_OR_JSON = 1, /* the media itself when the call has no other argument, else JSON */
  HF_PV_MULTIPART = 2    /* multipart/form-data: a part per member, the media as a file */
};
/* How an argument that is a file, bytes or a URL is put into JSON. */
enum {
  HF_PV_MEDIA_URL = 0,    /* http(s) and data: URLs as they are, else a data: URL of the known type, else of `mime` */
  HF_PV_MEDIA_FORCED = 1, /* the same, but always of the type `mime` */
  HF_PV_MEDIA_BASE64 = 2  /* base64 without a prefix; URLs are fetched */
};
enum {
  HF_PV_STREAM_NONE = 0,
  HF_PV_STREAM_CHAT = 1,       /* chat.completion.chunk objects */
  HF_PV_STREAM_COMPLETION = 2, /* text completion objects: choices[0].text */
  HF_PV_STREAM_TGI = 3         /* text-generation-inference: token.text */
};
/* What the answer (of a job: the last one) is. */
enum {
  HF_PV_OUT_JSON = 0,       /* the result, at out_path (NULL: all of it); shaped by task */
  HF_PV_OUT_BYTES = 1,      /* the body is the media */
  HF_PV_OUT_B64 = 2,        /* base64 at out_path */
  HF_PV_OUT_URL = 3,        /* URL at out_path: fetched without credentials */
  HF_PV_OUT_TEXT = 4,       /* string at out_path: {"text": ...} */
  HF_PV_OUT_COMPLETION = 5, /* choices[0] of a completion: {"generated_text": ..., "details": ...} */
  HF_PV_OUT_EACH = 6        /* "data.embedding": this member of every element of the array "data" */
};

/* How a job that is not done with the POST is watched. Paths are "data.urls.0" into the newest answer. The URLs may hold
 * {base} (where the POST went, with the router's segment), {url} (the POST's, without query), {query} ("?.." or nothing),
 * {id}, {path:a.b} (path of the URL at a.b: the host is dropped, so that credentials stay where the POST went) and
 * {abs:a.b} (the URL at a.b as it is, asked WITHOUT credentials). FROZEN. */
struct hf_pv_poll {
  const char *id;            /* path of the job's id in the POST's answer; NULL: not needed */
  const char *url;           /* what to ask */
  const char *status;        /* path of the status */
  const char *done, *failed; /* its values, comma separated */
  const char *pending;       /* "*": whatever is neither done nor failed; "-": no status at all */
  const char *post_pending;  /* only these values in the POST's answer start polling; NULL: whatever is not done */
  const char *error;         /* path of the reason of a failure; NULL */
  const char *result_url;    /* where the result is fetched, with credentials; NULL: the last answer is it */
  const char *cancel_url;    /* asked once, with PUT, when the call is given up; NULL */
  uint32_t interval_ms, max_polls; /* max_polls 0: until the call's deadline */
  uint32_t flags, reserved;        /* HF_PV_POLL_* */
};
enum {
  HF_PV_POLL_NO_DELAY = 1,  /* ask at once after the POST, then after each interval */
  HF_PV_POLL_FROM_POST = 2, /* the status of the POST's answer counts */
};

/* What a hook may ask and build; handed to each hook, belongs to the running call. Paths are "a.b.0"; they may be NULL or ""
 * for the value itself. Functions that return a pointer return NULL when it is not there, or memory is out (then the error
 * is set). Grows at the end. */
struct hf_pv_host {
  uint32_t struct_size, reserved;
  void *self; /* the host's */
  /* "task", "model" (as the user named it), "id" (the provider's name), "version", "url", "routed" ("1" or NULL), "adapter"
   * (path of LoRA weights), "call_model", "asked" (URL that poll_next asked for last) */
  const char *(*about)(const struct hf_pv_host *, const char *what);
  const hf_json *(*argument)(const struct hf_pv_host *, const char *name); /* as the call has it */
  const hf_json *(*get)(const hf_json *, const char *path);
  const char *(*text)(const hf_json *, const char *path);         /* NULL unless a string is there */
  int32_t (*number)(const hf_json *, const char *path, double *); /* 0 unless a number is there */
  size_t (*length)(const hf_json *, const char *path);            /* elements of an array or object, else 0 */
  hf_json *(*parse)(const struct hf_pv_host *, const char *json);
  hf_json *(*string)(const struct hf_pv_host *, const char *);
  hf_json *(*body)(const struct hf_pv_host *, const char *template); /* as a row's body; takes nothing */
  /* Puts a value at the path of an object, making objects (arrays for numbers) on the way; value NULL: removes. */
  hf_status (*set)(const struct hf_pv_host *, hf_json *, const char *path, const hf_json *value);
  /* poll_next: what is asked next, and after which wait. HF_PV_ASK_NO_AUTH: without credentials, as for every URL on another
   * host. prepare: where the request goes instead (a path, wait and flags are not used). */
  hf_status (*ask)(const struct hf_pv_host *, const char *url, uint32_t wait_ms, uint32_t flags);
  /* parse: text of a file at a URL, fetched without credentials, at most 16 MiB. */
  hf_json *(*fetch_text)(const struct hf_pv_host *, const char *url);
  hf_json *(*fetch_base64)(const struct hf_pv_host *, const char *url); /* of a data: URL too */
  hf_status (*fail)(const struct hf_pv_host *, hf_status, const char *, ...) HF_PRINTF(3, 4);
};
enum {
  HF_PV_ASK_NO_AUTH = 1,
  HF_PV_ASK_SAME_HOST = 2 /* the URL's path, where the POST went: credentials may go along */
};

struct hf_pv_task {  /* rows may grow */
  const char *task;  /* "conversational", "text-to-image"; unknown names are allowed: the result is JSON or media */
  const char *route; /* "/v1/models/{model}/predictions"; {model}, {version}: of the provider's name, percent-encoded */
  const char *body;  /* template */
  const char *base;  /* instead of the provider's base_url when it is called directly; NULL */
  const char *routed_suffix;   /* appended when the request goes through the router: "?_subdomain=queue"; NULL */
  const char *versioned_route; /* instead of `route` when the model's name has a ":version"; NULL */
  const char *mime;            /* of media whose type is not known; NULL: application/octet-stream */
  const char *out_path;        /* "output|output.0": the first of these that is there */
  const struct hf_pv_poll *poll;
  uint32_t form, media, stream, out; /* HF_PV_JSON..., HF_PV_MEDIA_*, HF_PV_STREAM_*, HF_PV_OUT_* */
  uint32_t flags, reserved;          /* HF_PV_TASK_* */
  /* Hooks, all optional; HF_OK or what fail() returned.
   * prepare: edits the body that the template made.
   * parse: makes the result of the answer; `out` still says what it is (a URL, base64, JSON ...).
   * poll_next: reads an answer; HF_PENDING after ask(), HF_OK: the job is done. Replaces `poll`; n counts from 0.
   * event: the item that one event of a stream gives; *item NULL: none. */
  hf_status (*prepare)(hf_call *, const struct hf_pv_host *, hf_json *body);
  hf_status (*parse)(hf_call *, const struct hf_pv_host *, const hf_json *answer, const hf_json **result);
  hf_status (*poll_next)(hf_call *, const struct hf_pv_host *, const hf_json *answer, uint32_t n);
  hf_status (*event)(hf_call *, const struct hf_pv_host *, const hf_json *payload, const hf_json **item);
};
enum {
  HF_PV_TASK_KEEP_NULLS = 1 /* nulls inside of arguments that the template takes are sent */
};

struct hf_provider {
  struct hf_module m;
  const char *base_url;     /* scheme and host, no final slash */
  const char *key_env;      /* environment variable of the provider's own key; NULL: "<NAME>_API_KEY" */
  const char *auth_header;  /* header of the provider's own key; NULL: "authorization" */
  const char *auth_scheme;  /* word in front of it; NULL: "Bearer"; "": none */
  struct hf_table headers;  /* rows: struct hf_kv; sent with the POST */
  struct hf_table tasks;    /* rows: struct hf_pv_task */
  uint32_t flags, reserved; /* HF_PV_* */
};
enum {
  HF_PV_DIRECT_ONLY = 1,  /* not behind the router and without model mapping: a token of the Hub is refused */
  HF_PV_ROUTER_ONLY = 2,  /* base_url is the router's and only a token of the Hub is a key; no model mapping */
  HF_PV_KEY_OPTIONAL = 4, /* may be asked without a key */
  HF_PV_HUB_MODELS = 8,   /* models are named as on the Hub; a URL may stand for a model */
};

/* What is left to write: descriptor, note and an empty load(). */
#define HF_PROVIDER(vtable_, name_, version_, license_, priority_)                                         \
  static hf_status hf_provider_load(const struct hf_host *host_, void **state_) {                          \
    (void)host_;                                                                                           \
    *state_ = NULL;                                                                                        \
    return HF_OK;                                                                                          \
  }                                                                                                        \
  static const struct hf_module *const hf_provider_modules[] = {&(vtable_).m};                             \
  HF_PLUGIN(name_, version_, license_, "Inference by " name_, hf_provider_load, NULL, hf_provider_modules, \
            {HF_KIND_PROVIDER, priority_, 0, name_, ""})
#endif
