/* hf_inference.h - models at inference providers and endpoints, from C: a function per task, blocking or started.
 * Every function of a task takes what the task is about, options, and gives a result that the caller frees.
 *
 *   struct hf_inf_opts o = {.struct_size = sizeof o, .model = "Qwen/Qwen3-32B"};
 *   struct hf_inf_result *r;
 *   if (hf_chat_completion(rt, "[{\"role\":\"user\",\"content\":\"Which river crosses Lyon?\"}]", &o, &r))
 *     fprintf(stderr, "%s\n", r ? r->error->message : "out of memory");
 *   else
 *     puts(r->json);
 *   hf_inf_result_free(r);
 *
 * Parameters of a task have the names of the reference client and go into `args` as a JSON object: {"max_tokens": 64}.
 * A token of the Hub goes to hosts of Hugging Face only; the provider's own key is read from its variable (GROQ_API_KEY ...)
 * or given as api_key, and goes to that provider. Results are JSON with every member that the server sent, or media.
 *
 * Started calls share two threads and hold none while they wait: a thousand streams at once are fine. Their callbacks run on
 * these threads, so they hand on what they get and do not block. */
#ifndef HF_INFERENCE_H
#define HF_INFERENCE_H
#include <hfcore.h>
#ifdef __cplusplus
extern "C" {
#endif

/* A picture or sound: one of path, url, data, read is used, in this order. */
struct hf_inf_media {
  const char *path; /* its type is known by the extension */
  const char *url;  /* http(s) or data: */
  const void *data;
  size_t len;
  const char *type; /* of data: "image/png"; NULL: not known */
  /* Up to `room` bytes; 0: the end, negative: failed. */
  int64_t (*read)(void *arg, void *to, size_t room);
  void *read_arg;
};

/* Zero it and set struct_size; NULL is the same as all zero. Pointers are used until the call has ended. */
struct hf_inf_opts {
  uint32_t struct_size, flags;
  const char *model; /* on the Hub, or the URL of an endpoint */
  const char
      *provider; /* NULL: the router of Hugging Face chooses; "a,b": the next one when one fails before it began */
  const char *base_url;    /* an endpoint; then model is what it calls the model */
  const char *api_key;     /* sent where the call goes; NULL: the provider's variable, else the token of the Hub */
  const char *bill_to;     /* organization that pays */
  const char *args;        /* parameters: a JSON object */
  const char *extra_body;  /* what the provider knows beyond: a JSON object */
  struct hf_table headers; /* rows: struct hf_kv */
  uint32_t timeout_ms;     /* of the POST */
  uint32_t silence_ms;     /* of a stream: the longest silence; 0: timeout_ms */
  /* Called on the thread that runs the call. item: a stream is asked for, each item as JSON. media: the bytes of a picture,
   * video or sound as they arrive; NULL: they are kept in the result. Non-zero cancels. */
  void *arg;
  int32_t (*item)(void *arg, const char *json, size_t len);
  int32_t (*media)(void *arg, const void *data, size_t len);
  const struct hf_watch *watch; /* deadline and options of the call */
  uint32_t first_ms;            /* of a stream: until the first item, whatever else the server sends */
  uint32_t deadline_ms;         /* of everything: look-ups, repetitions, the job, its result; a job is cancelled then */
};

struct hf_inf_result {
  uint32_t struct_size, reserved;
  const struct hf_error *error; /* NULL on success */
  const char *json;             /* the record; NULL: media, or a stream */
  size_t json_len;
  const void *data; /* media */
  size_t len;
  const char *content_type; /* of the media; NULL: not known */
};
HF_EXPORT void hf_inf_result_free(struct hf_inf_result *); /* NULL is fine */

/* Any task by name, with its arguments as a JSON object: blocking, or started. A started call is awaited with hf_op_wait();
 * *out is there at once and is read after that, and freed after hf_op_free(). Media arguments are URLs, or "@path". */
HF_EXPORT hf_status hf_inference(hf_runtime *, const char *task, const char *args, const struct hf_inf_opts *,
                                 struct hf_inf_result **);
HF_EXPORT hf_op *hf_inference_start(hf_runtime *, const char *task, const char *args, const struct hf_inf_opts *,
                                    struct hf_inf_result **out);
/* The same with bytes, a file or a callback as the picture or sound of the task (read before this returns). */
HF_EXPORT hf_op *hf_inference_start_media(hf_runtime *, const char *task, const char *args, const struct hf_inf_media *,
                                          const struct hf_inf_opts *, struct hf_inf_result **out);

/* ---- a function per task ---- */

/* An answer to a conversation: an array of {"role", "content"}. With item: as it is made. */
HF_EXPORT hf_status hf_chat_completion(hf_runtime *, const char *messages_json, const struct hf_inf_opts *,
                                       struct hf_inf_result **);
/* A text that goes on; a JSON string, or with "details" an object. */
HF_EXPORT hf_status hf_text_generation(hf_runtime *, const char *prompt, const struct hf_inf_opts *,
                                       struct hf_inf_result **);
/* Vectors: an array of numbers, or of arrays. */
HF_EXPORT hf_status hf_feature_extraction(hf_runtime *, const char *text, const struct hf_inf_opts *,
                                          struct hf_inf_result **);
/* [{"score", "sequence", "token", "token_str"}] */
HF_EXPORT hf_status hf_fill_mask(hf_runtime *, const char *text, const struct hf_inf_opts *, struct hf_inf_result **);
/* {"summary_text"} */
HF_EXPORT hf_status hf_summarization(hf_runtime *, const char *text, const struct hf_inf_opts *,
                                     struct hf_inf_result **);
/* [{"label", "score"}] */
HF_EXPORT hf_status hf_text_classification(hf_runtime *, const char *text, const struct hf_inf_opts *,
                                           struct hf_inf_result **);
/* [{"entity_group", "score", "word", "start", "end"}] */
HF_EXPORT hf_status hf_token_classification(hf_runtime *, const char *text, const struct hf_inf_opts *,
                                            struct hf_inf_result **);
/* {"translation_text"}; "src_lang" and "tgt_lang" come together. */
HF_EXPORT hf_status hf_translation(hf_runtime *, const char *text, const struct hf_inf_opts *, struct hf_inf_result **);
/* [{"label", "score"}] */
HF_EXPORT hf_status hf_zero_shot_classification(hf_runtime *, const char *text, const char *candidate_labels_json,
                                                const struct hf_inf_opts *, struct hf_inf_result **);
/* {"answer", "score", "start", "end"}, or an array of these. */
HF_EXPORT hf_status hf_question_answering(hf_runtime *, const char *question, const char *context,
                                          const struct hf_inf_opts *, struct hf_inf_result **);
/* An array of numbers. */
HF_EXPORT hf_status hf_sentence_similarity(hf_runtime *, const char *sentence, const char *other_sentences_json,
                                           const struct hf_inf_opts *, struct hf_inf_result **);
/* {"answer", "coordinates", "cells", "aggregator"}; the table is {"column": ["cell", ...]}. */
HF_EXPORT hf_status hf_table_question_answering(hf_runtime *, const char *table_json, const char *query,
                                                const struct hf_inf_opts *, struct hf_inf_result **);
/* An array of labels. */
HF_EXPORT hf_status hf_tabular_classification(hf_runtime *, const char *table_json, const struct hf_inf_opts *,
                                              struct hf_inf_result **);
/* An array of numbers. */
HF_EXPORT hf_status hf_tabular_regression(hf_runtime *, const char *table_json, const struct hf_inf_opts *,
                                          struct hf_inf_result **);
/* [{"label", "score"}] */
HF_EXPORT hf_status hf_audio_classification(hf_runtime *, const struct hf_inf_media *audio, const struct hf_inf_opts *,
                                            struct hf_inf_result **);
/* [{"blob", "content_type", "label"}], blob in base64. */
HF_EXPORT hf_status hf_audio_to_audio(hf_runtime *, const struct hf_inf_media *audio, const struct hf_inf_opts *,
                                      struct hf_inf_result **);
/* {"text", "chunks"} */
HF_EXPORT hf_status hf_automatic_speech_recognition(hf_runtime *, const struct hf_inf_media *audio,
                                                    const struct hf_inf_opts *, struct hf_inf_result **);
/* [{"label", "score"}] */
HF_EXPORT hf_status hf_image_classification(hf_runtime *, const struct hf_inf_media *image, const struct hf_inf_opts *,
                                            struct hf_inf_result **);
/* [{"label", "mask", "score"}], mask in base64. */
HF_EXPORT hf_status hf_image_segmentation(hf_runtime *, const struct hf_inf_media *image, const struct hf_inf_opts *,
                                          struct hf_inf_result **);
/* {"generated_text"} */
HF_EXPORT hf_status hf_image_to_text(hf_runtime *, const struct hf_inf_media *image, const struct hf_inf_opts *,
                                     struct hf_inf_result **);
/* [{"label", "score", "box"}] */
HF_EXPORT hf_status hf_object_detection(hf_runtime *, const struct hf_inf_media *image, const struct hf_inf_opts *,
                                        struct hf_inf_result **);
/* [{"label", "score"}] */
HF_EXPORT hf_status hf_zero_shot_image_classification(hf_runtime *, const struct hf_inf_media *image,
                                                      const char *candidate_labels_json, const struct hf_inf_opts *,
                                                      struct hf_inf_result **);
/* [{"answer", "score", "start", "end"}] */
HF_EXPORT hf_status hf_document_question_answering(hf_runtime *, const struct hf_inf_media *image, const char *question,
                                                   const struct hf_inf_opts *, struct hf_inf_result **);
/* [{"answer", "score"}] */
HF_EXPORT hf_status hf_visual_question_answering(hf_runtime *, const struct hf_inf_media *image, const char *question,
                                                 const struct hf_inf_opts *, struct hf_inf_result **);
/* A picture; prompt may be NULL. */
HF_EXPORT hf_status hf_image_to_image(hf_runtime *, const struct hf_inf_media *image, const char *prompt,
                                      const struct hf_inf_opts *, struct hf_inf_result **);
/* A video; prompt may be NULL. */
HF_EXPORT hf_status hf_image_to_video(hf_runtime *, const struct hf_inf_media *image, const char *prompt,
                                      const struct hf_inf_opts *, struct hf_inf_result **);
/* A picture. */
HF_EXPORT hf_status hf_text_to_image(hf_runtime *, const char *prompt, const struct hf_inf_opts *,
                                     struct hf_inf_result **);
/* A video. */
HF_EXPORT hf_status hf_text_to_video(hf_runtime *, const char *prompt, const struct hf_inf_opts *,
                                     struct hf_inf_result **);
/* A sound. */
HF_EXPORT hf_status hf_text_to_speech(hf_runtime *, const char *text, const struct hf_inf_opts *,
                                      struct hf_inf_result **);

#ifdef __cplusplus
}
#endif
#endif
