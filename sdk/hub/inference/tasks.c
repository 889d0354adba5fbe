/* tasks.c - the tasks of inference as data: what each is called, which arguments it takes, what its result is.
 * Arguments have the names of the reference client's methods; each is an option of `hf inference TASK`.
 * The shapes of results are in records.c. */
#include <string.h>

#include "infer.h"

/* Arguments: name, help. A list is an option that may be repeated. */
#define STR(n, h) \
  { .name = n, .help = h, .type = HF_P_STR }
#define INT(n, h) \
  { .name = n, .help = h, .type = HF_P_INT }
#define FLOAT(n, h) \
  { .name = n, .help = h, .type = HF_P_FLOAT }
#define FLAG(n, h) \
  { .name = n, .help = h, .type = HF_P_BOOL, .flags = HF_PF_TRISTATE }
#define LIST(n, h) \
  { .name = n, .help = h, .type = HF_P_STR, .flags = HF_PF_REPEAT }
#define JSON(n, h) \
  { .name = n, .help = h, .value_name = "JSON", .type = HF_P_JSON }

/* Options of every task, and those for its kind of input and output. */
#define COMMON                                                                                                        \
  {.name = "model", .spellings = "-m", .help = "Model on the Hub, or URL of an endpoint.", .type = HF_P_STR},         \
      {.name = "provider",                                                                                            \
       .spellings = "-p",                                                                                             \
       .help = "Who runs it; several, in order, with commas between them.",                                           \
       .type = HF_P_STR},                                                                                             \
      {.name = "base_url", .help = "URL of an endpoint, with --model as what it calls the model.", .type = HF_P_STR}, \
      {.name = "api_key_env",                                                                                         \
       .value_name = "VARIABLE",                                                                                      \
       .help = "Environment variable with the key for this call.",                                                    \
       .type = HF_P_STR},                                                                                             \
      {.name = "bill_to", .value_name = "ORG", .help = "Organization that pays.", .type = HF_P_STR},                  \
      {.name = "timeout", .value_name = "SECONDS", .help = "Longest wait for the answer.", .type = HF_P_FLOAT},       \
      {.name = "deadline",                                                                                            \
       .value_name = "SECONDS",                                                                                       \
       .help = "Longest time in all, with look-ups, repetitions and jobs.",                                           \
       .type = HF_P_FLOAT},                                                                                           \
      {.name = "header",                                                                                              \
       .value_name = "'NAME: VALUE'",                                                                                 \
       .help = "A header to send; may be repeated.",                                                                  \
       .type = HF_P_STR,                                                                                              \
       .flags = HF_PF_REPEAT | HF_PF_SECRET},                                                                         \
      {.name = "extra_body",                                                                                          \
       .value_name = "JSON",                                                                                          \
       .help = "Parameters the provider knows, as they are.",                                                         \
       .type = HF_P_JSON},                                                                                            \
  {                                                                                                                   \
    .name = "args", .value_name = "JSON|@FILE", .help = "Arguments as a JSON object, or a file with one.",            \
    .type = HF_P_STR                                                                                                  \
  }
#define TEXT_AS(more) \
  { .name = "text", .spellings = "-t" more, .help = "The text; - reads it from stdin.", .type = HF_P_STR }
#define MEDIA_AS(more, h) \
  { .name = "file", .spellings = "-f" more, .value_name = "PATH|URL|-", .help = h, .type = HF_P_STR }
#define TEXT TEXT_AS("")
#define TEXTS                                                                                                 \
  {                                                                                                           \
    .name = "text", .spellings = "-t", .help = "The text; - reads it from stdin. Several: a vector of each.", \
    .type = HF_P_STR, .flags = HF_PF_REPEAT                                                                   \
  }
#define PROMPT   TEXT_AS(",--prompt")
#define QUESTION TEXT_AS(",--question")
#define QUERY    TEXT_AS(",--query")
#define SENTENCE TEXT_AS(",--sentence")
#define MEDIA    MEDIA_AS("", "The picture or sound.")
#define IMAGE    MEDIA_AS(",--image", "The picture.")
#define AUDIO    MEDIA_AS(",--audio", "The sound.")
#define STREAM                                                                                                      \
  {.name = "stream", .help = "Show the answer while it is made.", .type = HF_P_BOOL, .flags = HF_PF_TRISTATE}, {    \
    .name = "first_token_timeout", .value_name = "SECONDS", .help = "Longest wait for the first item of a stream.", \
    .type = HF_P_FLOAT                                                                                              \
  }
#define MESSAGES                                                                                         \
  {                                                                                                      \
    .name = "messages", .value_name = "JSON|@FILE", .help = "The conversation so far, as a JSON array.", \
    .type = HF_P_STR                                                                                     \
  }
#define OUTPUT                                                                                 \
  {.name = "output",                                                                           \
   .spellings = "-o",                                                                          \
   .value_name = "PATH|-",                                                                     \
   .help = "Where the media goes; - is stdout.",                                               \
   .type = HF_P_PATH},                                                                         \
  {                                                                                            \
    .name = "show", .help = "Show a picture in the terminal, where it can.", .type = HF_P_BOOL \
  }

static const struct hf_param audio_classification[] = {
    COMMON,
    AUDIO,
    INT("top_k", "So many results, or candidates per token."),
    STR("function_to_apply", "Function over the scores: sigmoid, softmax or none."),
};

static const struct hf_param audio_to_audio[] = {
    COMMON,
    AUDIO,
};

static const struct hf_param automatic_speech_recognition[] = {
    COMMON,
    AUDIO,
};

static const struct hf_param conversational[] = {
    COMMON,
    STREAM,
    MESSAGES,
    TEXT,
    {.name = "image",
     .value_name = "PATH|URL",
     .help = "A picture to go with --text or stdin, in a chat; may be repeated.",
     .type = HF_P_STR,
     .flags = HF_PF_REPEAT},
    FLOAT("frequency_penalty", "Penalty for tokens by how often they came."),
    JSON("logit_bias", "Likelihood of tokens, changed."),
    FLAG("logprobs", "Return log probabilities."),
    INT("max_tokens", "So many tokens at most."),
    INT("n", "So many answers."),
    FLOAT("presence_penalty", "Penalty for tokens that came before."),
    JSON("response_format", "Form of the answer, as JSON: a JSON schema for example."),
    INT("seed", "Start of the random numbers."),
    LIST("stop", "Text at which to stop; may be repeated."),
    JSON("stream_options", "Options of the stream, as JSON."),
    FLOAT("temperature", "0: always the likeliest token."),
    JSON("tool_choice", "Which tool to call: auto, none, required or JSON."),
    STR("tool_prompt", "Text in front of the tools."),
    JSON("tools", "Tools the model may call, as JSON."),
    INT("top_logprobs", "So many likeliest tokens with log probabilities."),
    FLOAT("top_p", "Only tokens that make up this probability."),
};

static const struct hf_param document_question_answering[] = {
    COMMON,
    QUESTION,
    IMAGE,
    INT("doc_stride", "Overlap of pieces of a long text, in tokens."),
    FLAG("handle_impossible_answer", "Accept that there is no answer."),
    STR("lang", "Language for reading the picture."),
    INT("max_answer_len", "Length of an answer at most."),
    INT("max_question_len", "Length of the question at most."),
    INT("max_seq_len", "Length of a piece at most, in tokens."),
    INT("top_k", "So many results, or candidates per token."),
    JSON("word_boxes", "Words and boxes that were read before, as JSON."),
};

static const struct hf_param feature_extraction[] = {
    COMMON,
    TEXTS,
    FLAG("normalize", "Vectors of length one."),
    STR("prompt_name", "Prompt of the model to put in front."),
    FLAG("truncate", "Cut what is too long."),
    STR("truncation_direction", "Side that is cut: left or right."),
    INT("dimensions", "Length of the vectors."),
    STR("encoding_format", "Float or base64."),
};

static const struct hf_param fill_mask[] = {
    COMMON,
    TEXT,
    LIST("targets", "Only these words; may be repeated."),
    INT("top_k", "So many results, or candidates per token."),
};

static const struct hf_param image_classification[] = {
    COMMON,
    IMAGE,
    STR("function_to_apply", "Function over the scores: sigmoid, softmax or none."),
    INT("top_k", "So many results, or candidates per token."),
};

static const struct hf_param image_segmentation[] = {
    COMMON,
    IMAGE,
    FLOAT("mask_threshold", "From which value a pixel is part of a mask."),
    FLOAT("overlap_mask_area_threshold", "How much of a mask may be covered by others."),
    STR("subtask", "Instance, panoptic or semantic."),
    FLOAT("threshold", "From which score a result counts."),
};

static const struct hf_param image_to_image[] = {
    COMMON,
    PROMPT,
    IMAGE,
    OUTPUT,
    STR("negative_prompt", "What is not wanted."),
    INT("num_inference_steps", "So many steps."),
    FLOAT("guidance_scale", "How closely the prompt is followed."),
    JSON("target_size", "Size of the result, as JSON: {\"width\":W,\"height\":H}."),
};

static const struct hf_param image_to_text[] = {
    COMMON,
    IMAGE,
};

static const struct hf_param image_to_video[] = {
    COMMON,
    PROMPT,
    IMAGE,
    OUTPUT,
    STR("negative_prompt", "What is not wanted."),
    FLOAT("num_frames", "So many frames."),
    INT("num_inference_steps", "So many steps."),
    FLOAT("guidance_scale", "How closely the prompt is followed."),
    INT("seed", "Start of the random numbers."),
    JSON("target_size", "Size of the result, as JSON: {\"width\":W,\"height\":H}."),
};

static const struct hf_param object_detection[] = {
    COMMON,
    IMAGE,
    FLOAT("threshold", "From which score a result counts."),
};

static const struct hf_param question_answering[] = {
    COMMON,
    QUESTION,
    STR("context", "Text that holds the answer."),
    FLAG("align_to_words", "Answers are whole words."),
    INT("doc_stride", "Overlap of pieces of a long text, in tokens."),
    FLAG("handle_impossible_answer", "Accept that there is no answer."),
    INT("max_answer_len", "Length of an answer at most."),
    INT("max_question_len", "Length of the question at most."),
    INT("max_seq_len", "Length of a piece at most, in tokens."),
    INT("top_k", "So many results, or candidates per token."),
};

static const struct hf_param sentence_similarity[] = {
    COMMON,
    SENTENCE,
    LIST("other_sentences", "A sentence to compare with; may be repeated."),
};

static const struct hf_param summarization[] = {
    COMMON,
    TEXT,
    FLAG("clean_up_tokenization_spaces", "No superfluous blanks."),
    JSON("generate_parameters", "Parameters of the text generation, as JSON."),
    STR("truncation", "What is cut when it is too long."),
};

static const struct hf_param table_question_answering[] = {
    COMMON,
    QUERY,
    JSON("table", "Columns as a JSON object."),
    STR("padding", "How short inputs are filled up."),
    FLAG("sequential", "Ask row by row."),
    FLAG("truncation", "What is cut when it is too long."),
};

static const struct hf_param tabular_classification[] = {
    COMMON,
    JSON("table", "Columns as a JSON object."),
};

static const struct hf_param tabular_regression[] = {
    COMMON,
    JSON("table", "Columns as a JSON object."),
};

static const struct hf_param text_classification[] = {
    COMMON,
    TEXT,
    INT("top_k", "So many results, or candidates per token."),
    STR("function_to_apply", "Function over the scores: sigmoid, softmax or none."),
};

static const struct hf_param text_generation[] = {
    COMMON,
    PROMPT,
    STREAM,
    FLAG("details", "A record with details instead of a text."),
    STR("adapter_id", "LoRA adapter to use."),
    INT("best_of", "The best of so many."),
    FLAG("decoder_input_details", "Details of the prompt too."),
    FLAG("do_sample", "Choose tokens by chance."),
    FLOAT("frequency_penalty", "Penalty for tokens by how often they came."),
    JSON("grammar", "Grammar of the text, as JSON."),
    INT("max_new_tokens", "So many tokens at most."),
    FLOAT("repetition_penalty", "Penalty for repetition, 1: none."),
    FLAG("return_full_text", "Return the prompt too."),
    INT("seed", "Start of the random numbers."),
    LIST("stop", "Text at which to stop; may be repeated."),
    FLOAT("temperature", "0: always the likeliest token."),
    INT("top_k", "So many results, or candidates per token."),
    INT("top_n_tokens", "Details of so many likeliest tokens."),
    FLOAT("top_p", "Only tokens that make up this probability."),
    INT("truncate", "Cut what is too long."),
    FLOAT("typical_p", "Typical decoding."),
    FLAG("watermark", "Mark the text."),
};

static const struct hf_param text_to_image[] = {
    COMMON,
    PROMPT,
    OUTPUT,
    STR("negative_prompt", "What is not wanted."),
    INT("height", "Height of the picture."),
    INT("width", "Width of the picture."),
    INT("num_inference_steps", "So many steps."),
    FLOAT("guidance_scale", "How closely the prompt is followed."),
    STR("scheduler", "Scheduler to use."),
    INT("seed", "Start of the random numbers."),
};

static const struct hf_param text_to_speech[] = {
    COMMON,
    PROMPT,
    OUTPUT,
    FLAG("do_sample", "Choose tokens by chance."),
    STR("early_stopping", "When beams end."),
    FLOAT("epsilon_cutoff", "Cut-off of unlikely tokens."),
    FLOAT("eta_cutoff", "Cut-off by entropy."),
    INT("max_length", "Length at most."),
    INT("max_new_tokens", "So many tokens at most."),
    INT("min_length", "Length at least."),
    INT("min_new_tokens", "So many tokens at least."),
    INT("num_beam_groups", "Groups of beams."),
    INT("num_beams", "Beams."),
    FLOAT("penalty_alpha", "Weight against repetition."),
    FLOAT("temperature", "0: always the likeliest token."),
    INT("top_k", "So many results, or candidates per token."),
    FLOAT("top_p", "Only tokens that make up this probability."),
    FLOAT("typical_p", "Typical decoding."),
    FLAG("use_cache", "Use the model's cache."),
};

static const struct hf_param text_to_video[] = {
    COMMON,
    PROMPT,
    OUTPUT,
    FLOAT("guidance_scale", "How closely the prompt is followed."),
    LIST("negative_prompt", "What is not wanted."),
    FLOAT("num_frames", "So many frames."),
    INT("num_inference_steps", "So many steps."),
    INT("seed", "Start of the random numbers."),
};

static const struct hf_param token_classification[] = {
    COMMON,
    TEXT,
    STR("aggregation_strategy", "How tokens become words: none, simple, first, average or max."),
    LIST("ignore_labels", "Labels to leave out; may be repeated."),
    INT("stride", "Overlap of pieces, in tokens."),
};

static const struct hf_param translation[] = {
    COMMON,
    TEXT,
    STR("src_lang", "Language of the text."),
    STR("tgt_lang", "Language to translate to."),
    FLAG("clean_up_tokenization_spaces", "No superfluous blanks."),
    STR("truncation", "What is cut when it is too long."),
    JSON("generate_parameters", "Parameters of the text generation, as JSON."),
};

static const struct hf_param visual_question_answering[] = {
    COMMON,
    QUESTION,
    IMAGE,
    INT("top_k", "So many results, or candidates per token."),
};

static const struct hf_param zero_shot_classification[] = {
    COMMON,
    TEXT,
    LIST("candidate_labels", "A label to choose from; may be repeated."),
    FLAG("multi_label", "Several labels may fit."),
    STR("hypothesis_template", "Sentence with {} for a label."),
};

static const struct hf_param zero_shot_image_classification[] = {
    COMMON,
    IMAGE,
    LIST("candidate_labels", "A label to choose from; may be repeated."),
    STR("hypothesis_template", "Sentence with {} for a label."),
};

const struct inf_task inf_tasks[] = {
    {"audio-classification", "audio_classification", NULL, "audio", "audio", INF_RECORD, NULL, "Labels for a sound.",
     HF_TABLE(audio_classification)},
    {"audio-to-audio", "audio_to_audio", NULL, "audio", "audio", INF_RECORD, ".wav", "Sounds made from a sound.",
     HF_TABLE(audio_to_audio)},
    {"automatic-speech-recognition", "automatic_speech_recognition", NULL, "audio", "audio", INF_OBJECT, NULL,
     "The words in a recording.", HF_TABLE(automatic_speech_recognition)},
    {"conversational", "chat_completion", NULL, NULL, "messages", INF_CHAT, NULL, "Answer of a chat model.",
     HF_TABLE(conversational)},
    {"document-question-answering", "document_question_answering", "question", "image", "image question", INF_RECORD,
     NULL, "Answer to a question about the picture of a document.", HF_TABLE(document_question_answering)},
    {"feature-extraction", "feature_extraction", "text", NULL, "text", INF_VECTORS, NULL, "Vectors for a text.",
     HF_TABLE(feature_extraction)},
    {"fill-mask", "fill_mask", "text", NULL, "text", INF_RECORD, NULL, "Words for the mask in a text.",
     HF_TABLE(fill_mask)},
    {"image-classification", "image_classification", NULL, "image", "image", INF_RECORD, NULL, "Labels for a picture.",
     HF_TABLE(image_classification)},
    {"image-segmentation", "image_segmentation", NULL, "image", "image", INF_RECORD, NULL,
     "Parts of a picture as masks.", HF_TABLE(image_segmentation)},
    {"image-to-image", "image_to_image", "prompt", "image", "image", INF_MEDIA, ".png",
     "A picture made from a picture.", HF_TABLE(image_to_image)},
    {"image-to-text", "image_to_text", NULL, "image", "image", INF_FIRST, NULL, "A text that describes a picture.",
     HF_TABLE(image_to_text)},
    {"image-to-video", "image_to_video", "prompt", "image", "image", INF_MEDIA, ".mp4", "A video made from a picture.",
     HF_TABLE(image_to_video)},
    {"object-detection", "object_detection", NULL, "image", "image", INF_RECORD, NULL,
     "Things in a picture, with boxes.", HF_TABLE(object_detection)},
    {"question-answering", "question_answering", "question", NULL, "question context", INF_EITHER, NULL,
     "Answer to a question from a text.", HF_TABLE(question_answering)},
    {"sentence-similarity", "sentence_similarity", "sentence", NULL, "sentence other_sentences", INF_RECORD, NULL,
     "How alike sentences are.", HF_TABLE(sentence_similarity)},
    {"summarization", "summarization", "text", NULL, "text", INF_FIRST, NULL, "A shorter text.",
     HF_TABLE(summarization)},
    {"table-question-answering", "table_question_answering", "query", NULL, "table query", INF_OBJECT, NULL,
     "Answer to a question from a table.", HF_TABLE(table_question_answering)},
    {"tabular-classification", "tabular_classification", NULL, NULL, "table", INF_RECORD, NULL,
     "A label for each row of a table.", HF_TABLE(tabular_classification)},
    {"tabular-regression", "tabular_regression", NULL, NULL, "table", INF_RECORD, NULL,
     "A number for each row of a table.", HF_TABLE(tabular_regression)},
    {"text-classification", "text_classification", "text", NULL, "text", INF_INNER, NULL, "Labels for a text.",
     HF_TABLE(text_classification)},
    {"text-generation", "text_generation", "prompt", NULL, "prompt", INF_TEXT, NULL, "A text that goes on.",
     HF_TABLE(text_generation)},
    {"text-to-image", "text_to_image", "prompt", NULL, "prompt", INF_MEDIA, ".png", "A picture made from a text.",
     HF_TABLE(text_to_image)},
    {"text-to-speech", "text_to_speech", "text", NULL, "text", INF_MEDIA, ".wav", "A text spoken.",
     HF_TABLE(text_to_speech)},
    {"text-to-video", "text_to_video", "prompt", NULL, "prompt", INF_MEDIA, ".mp4", "A video made from a text.",
     HF_TABLE(text_to_video)},
    {"token-classification", "token_classification", "text", NULL, "text", INF_RECORD, NULL,
     "Names and other marked words in a text.", HF_TABLE(token_classification)},
    {"translation", "translation", "text", NULL, "text", INF_FIRST, NULL, "A text in another language.",
     HF_TABLE(translation)},
    {"visual-question-answering", "visual_question_answering", "question", "image", "image question", INF_RECORD, NULL,
     "Answer to a question about a picture.", HF_TABLE(visual_question_answering)},
    {"zero-shot-classification", "zero_shot_classification", "text", NULL, "text candidate_labels", INF_RECORD, NULL,
     "Which of the given labels fit a text.", HF_TABLE(zero_shot_classification)},
    {"zero-shot-image-classification", "zero_shot_image_classification", NULL, "image", "image candidate_labels",
     INF_RECORD, NULL, "Which of the given labels fit a picture.", HF_TABLE(zero_shot_image_classification)},
    {"image-text-to-image", "image_text_to_image", "prompt", "image", "prompt", INF_MEDIA, ".png",
     "A picture made from a text, and from a picture when there is one.", HF_TABLE(image_to_image)},
    {"image-text-to-video", "image_text_to_video", "prompt", "image", "prompt", INF_MEDIA, ".mp4",
     "A video made from a text, and from a picture when there is one.", HF_TABLE(image_to_video)},
    {"text-to-audio", "text_to_audio", "prompt", NULL, "prompt", INF_MEDIA, ".wav", "A sound made from a text.",
     HF_TABLE(text_to_speech)},
};
const uint32_t inf_task_count = HF_COUNT(inf_tasks);

/* ---- a command per task ---- */

#define RUN(ident, name_)                                                                   \
  static hf_status run_##ident(hf_call *c, void *state, const hf_args *args, hf_out *out) { \
    (void)state;                                                                            \
    return inf_task_run(c, name_, args, out);                                               \
  }

RUN(audio_classification, "audio-classification")
RUN(audio_to_audio, "audio-to-audio")
RUN(automatic_speech_recognition, "automatic-speech-recognition")
RUN(conversational, "conversational")
RUN(document_question_answering, "document-question-answering")
RUN(feature_extraction, "feature-extraction")
RUN(fill_mask, "fill-mask")
RUN(image_classification, "image-classification")
RUN(image_segmentation, "image-segmentation")
RUN(image_to_image, "image-to-image")
RUN(image_to_text, "image-to-text")
RUN(image_to_video, "image-to-video")
RUN(object_detection, "object-detection")
RUN(question_answering, "question-answering")
RUN(sentence_similarity, "sentence-similarity")
RUN(summarization, "summarization")
RUN(table_question_answering, "table-question-answering")
RUN(tabular_classification, "tabular-classification")
RUN(tabular_regression, "tabular-regression")
RUN(text_classification, "text-classification")
RUN(text_generation, "text-generation")
RUN(text_to_image, "text-to-image")
RUN(text_to_speech, "text-to-speech")
RUN(text_to_video, "text-to-video")
RUN(token_classification, "token-classification")
RUN(translation, "translation")
RUN(visual_question_answering, "visual-question-answering")
RUN(zero_shot_classification, "zero-shot-classification")
RUN(zero_shot_image_classification, "zero-shot-image-classification")
RUN(image_text_to_image, "image-text-to-image")
RUN(image_text_to_video, "image-text-to-video")
RUN(text_to_audio, "text-to-audio")

RUN(any, NULL)
static const struct hf_param any[] = {{.name = "task", .help = "What to do; see the commands below.", .type = HF_P_STR},
                                      COMMON,
                                      TEXT,
                                      MEDIA,
                                      MESSAGES,
                                      STREAM,
                                      OUTPUT};

static const struct hf_param providers[] = {
    {.name = "task", .help = "Only those that serve this task.", .type = HF_P_STR}};
static const struct hf_param models[] = {
    {.name = "warm", .help = "Only models that are ready to answer.", .type = HF_P_BOOL},
    {.name = "provider", .spellings = "-p", .help = "Only models of this provider.", .type = HF_P_STR},
    {.name = "task", .help = "Only models for this task.", .type = HF_P_STR},
    {.name = "search", .help = "Words in the name.", .type = HF_P_STR},
    {.name = "limit", .help = "So many at most.", .type = HF_P_INT, .deflt = "30"}};
static const struct hf_param endpoint[] = {{.name = "url",
                                            .value_name = "URL",
                                            .help = "The endpoint.",
                                            .type = HF_P_STR,
                                            .flags = HF_PF_POSITIONAL | HF_PF_REQUIRED},
                                           {.name = "api_key_env",
                                            .value_name = "VARIABLE",
                                            .help = "Environment variable with the key for this call.",
                                            .type = HF_P_STR}};
static const struct hf_param serve[] = {
    {.name = "provider", .spellings = "-p", .help = "Who runs models that name no provider.", .type = HF_P_STR},
    {.name = "model", .spellings = "-m", .help = "For requests that name no model.", .type = HF_P_STR},
    {.name = "base_url", .help = "An endpoint that gets every request, instead of a provider.", .type = HF_P_STR},
    {.name = "api_key_env",
     .value_name = "VARIABLE",
     .help = "Environment variable with the key for the provider or endpoint.",
     .type = HF_P_STR},
    {.name = "bill_to", .value_name = "ORG", .help = "Organization that pays.", .type = HF_P_STR},
    {.name = "timeout", .value_name = "SECONDS", .help = "Longest wait for an answer.", .type = HF_P_FLOAT},
    {.name = "first_token_timeout",
     .value_name = "SECONDS",
     .help = "Longest silence of a stream.",
     .type = HF_P_FLOAT},
    {.name = "host",
     .value_name = "ADDRESS",
     .help = "Where to listen; others than loopback need a key for clients.",
     .type = HF_P_STR,
     .deflt = "127.0.0.1"},
    {.name = "port", .help = "Port to listen on; 0: a free one.", .type = HF_P_INT, .deflt = "8765"},
    {.name = "key_env",
     .value_name = "VARIABLE",
     .help = "Environment variable with the key that clients must send.",
     .type = HF_P_STR},
    {.name = "key_file",
     .value_name = "PATH|-",
     .help = "File whose first line is the key that clients must send; - is stdin.",
     .type = HF_P_PATH},
    {.name = "max_body",
     .value_name = "BYTES",
     .help = "Longest body of a request.",
     .type = HF_P_INT,
     .deflt = "33554432"},
    {.name = "max_requests", .value_name = "COUNT", .help = "Requests at once.", .type = HF_P_INT, .deflt = "16"}};
static const struct hf_column provider_columns[] = {{"NAME", "name"}, {"TASKS", "tasks"}, {"BASE URL", "base_url"}};
#define TASK_FLAGS (HF_TK_NETWORK | HF_TK_STREAMS | HF_TK_OURS | HF_TK_JSON_ERRORS)

static const struct hf_task commands[] = {
    {.name = "inference",
     .summary = "Run a model at an inference provider or endpoint.",
     .help = "Commands: chat, serve, providers, models, info, health, and one for each task: audio-classification, "
             "audio-to-audio, automatic-speech-recognition, conversational, document-question-answering, "
             "feature-extraction, fill-mask, image-classification, image-segmentation, image-to-image, image-to-text, "
             "image-to-video, object-detection, question-answering, sentence-similarity, summarization, "
             "table-question-answering, tabular-classification, tabular-regression, text-classification, "
             "text-generation, text-to-image, text-to-speech, text-to-video, token-classification, translation, "
             "visual-question-answering, zero-shot-classification, zero-shot-image-classification, "
             "image-text-to-image, image-text-to-video, text-to-audio. Each has --help.",
     .examples = "hf inference --model gpt2 --text \"Once upon a time\"\nhf inference chat --model Qwen/Qwen3-32B\nhf "
                 "inference text-to-image --model black-forest-labs/FLUX.1-dev --text \"a red kettle\" -o kettle.png",
     .params = HF_TABLE(any),
     .flags = TASK_FLAGS | HF_TK_GROUP,
     .run = run_any},
    {.name = "inference.chat",
     .summary = "Talk with a model.",
     .params = HF_TABLE(conversational),
     .flags = TASK_FLAGS,
     .run = inf_task_chat},
    {.name = "inference.serve",
     .summary = "Serve every provider to OpenAI clients of this machine.",
     .help =
         "Answers /v1/chat/completions, /v1/embeddings and /v1/models as OpenAI's interface does. \"model\" is ID or "
         "ID:PROVIDER; keys stay here. Only programs of this machine are answered, never web pages.",
     .examples = "hf inference serve --provider groq\nOPENAI_BASE_URL=http://127.0.0.1:8765/v1 OPENAI_API_KEY=any "
                 "python my_program.py",
     .params = HF_TABLE(serve),
     .flags = TASK_FLAGS,
     .run = inf_task_serve},
    {.name = "inference.providers",
     .summary = "Inference providers that are installed, and their tasks.",
     .params = HF_TABLE(providers),
     .columns = HF_TABLE(provider_columns),
     .id_key = "name",
     .flags = HF_TK_OURS,
     .run = inf_task_providers},
    {.name = "inference.models",
     .summary = "Models that providers serve.",
     .params = HF_TABLE(models),
     .id_key = "id",
     .flags = HF_TK_NETWORK | HF_TK_OURS | HF_TK_JSON_ERRORS,
     .run = inf_task_models},
    {.name = "inference.info",
     .summary = "What an endpoint says about itself.",
     .params = HF_TABLE(endpoint),
     .flags = TASK_FLAGS,
     .run = inf_task_info},
    {.name = "inference.health",
     .summary = "Whether an endpoint is well.",
     .params = HF_TABLE(endpoint),
     .flags = TASK_FLAGS,
     .run = inf_task_health},
    {.name = "inference.audio-classification",
     .summary = "Labels for a sound.",
     .params = HF_TABLE(audio_classification),
     .flags = TASK_FLAGS,
     .run = run_audio_classification},
    {.name = "inference.audio-to-audio",
     .summary = "Sounds made from a sound.",
     .params = HF_TABLE(audio_to_audio),
     .flags = TASK_FLAGS,
     .run = run_audio_to_audio},
    {.name = "inference.automatic-speech-recognition",
     .summary = "The words in a recording.",
     .params = HF_TABLE(automatic_speech_recognition),
     .flags = TASK_FLAGS,
     .run = run_automatic_speech_recognition},
    {.name = "inference.conversational",
     .summary = "Answer of a chat model.",
     .params = HF_TABLE(conversational),
     .flags = TASK_FLAGS,
     .run = run_conversational},
    {.name = "inference.document-question-answering",
     .summary = "Answer to a question about the picture of a document.",
     .params = HF_TABLE(document_question_answering),
     .flags = TASK_FLAGS,
     .run = run_document_question_answering},
    {.name = "inference.feature-extraction",
     .summary = "Vectors for a text.",
     .params = HF_TABLE(feature_extraction),
     .flags = TASK_FLAGS,
     .run = run_feature_extraction},
    {.name = "inference.fill-mask",
     .summary = "Words for the mask in a text.",
     .params = HF_TABLE(fill_mask),
     .flags = TASK_FLAGS,
     .run = run_fill_mask},
    {.name = "inference.image-classification",
     .summary = "Labels for a picture.",
     .params = HF_TABLE(image_classification),
     .flags = TASK_FLAGS,
     .run = run_image_classification},
    {.name = "inference.image-segmentation",
     .summary = "Parts of a picture as masks.",
     .params = HF_TABLE(image_segmentation),
     .flags = TASK_FLAGS,
     .run = run_image_segmentation},
    {.name = "inference.image-to-image",
     .summary = "A picture made from a picture.",
     .params = HF_TABLE(image_to_image),
     .flags = TASK_FLAGS,
     .run = run_image_to_image},
    {.name = "inference.image-to-text",
     .summary = "A text that describes a picture.",
     .params = HF_TABLE(image_to_text),
     .flags = TASK_FLAGS,
     .run = run_image_to_text},
    {.name = "inference.image-to-video",
     .summary = "A video made from a picture.",
     .params = HF_TABLE(image_to_video),
     .flags = TASK_FLAGS,
     .run = run_image_to_video},
    {.name = "inference.object-detection",
     .summary = "Things in a picture, with boxes.",
     .params = HF_TABLE(object_detection),
     .flags = TASK_FLAGS,
     .run = run_object_detection},
    {.name = "inference.question-answering",
     .summary = "Answer to a question from a text.",
     .params = HF_TABLE(question_answering),
     .flags = TASK_FLAGS,
     .run = run_question_answering},
    {.name = "inference.sentence-similarity",
     .summary = "How alike sentences are.",
     .params = HF_TABLE(sentence_similarity),
     .flags = TASK_FLAGS,
     .run = run_sentence_similarity},
    {.name = "inference.summarization",
     .summary = "A shorter text.",
     .params = HF_TABLE(summarization),
     .flags = TASK_FLAGS,
     .run = run_summarization},
    {.name = "inference.table-question-answering",
     .summary = "Answer to a question from a table.",
     .params = HF_TABLE(table_question_answering),
     .flags = TASK_FLAGS,
     .run = run_table_question_answering},
    {.name = "inference.tabular-classification",
     .summary = "A label for each row of a table.",
     .params = HF_TABLE(tabular_classification),
     .flags = TASK_FLAGS,
     .run = run_tabular_classification},
    {.name = "inference.tabular-regression",
     .summary = "A number for each row of a table.",
     .params = HF_TABLE(tabular_regression),
     .flags = TASK_FLAGS,
     .run = run_tabular_regression},
    {.name = "inference.text-classification",
     .summary = "Labels for a text.",
     .params = HF_TABLE(text_classification),
     .flags = TASK_FLAGS,
     .run = run_text_classification},
    {.name = "inference.text-generation",
     .summary = "A text that goes on.",
     .params = HF_TABLE(text_generation),
     .flags = TASK_FLAGS,
     .run = run_text_generation},
    {.name = "inference.text-to-image",
     .summary = "A picture made from a text.",
     .params = HF_TABLE(text_to_image),
     .flags = TASK_FLAGS,
     .run = run_text_to_image},
    {.name = "inference.text-to-speech",
     .summary = "A text spoken.",
     .params = HF_TABLE(text_to_speech),
     .flags = TASK_FLAGS,
     .run = run_text_to_speech},
    {.name = "inference.text-to-video",
     .summary = "A video made from a text.",
     .params = HF_TABLE(text_to_video),
     .flags = TASK_FLAGS,
     .run = run_text_to_video},
    {.name = "inference.token-classification",
     .summary = "Names and other marked words in a text.",
     .params = HF_TABLE(token_classification),
     .flags = TASK_FLAGS,
     .run = run_token_classification},
    {.name = "inference.translation",
     .summary = "A text in another language.",
     .params = HF_TABLE(translation),
     .flags = TASK_FLAGS,
     .run = run_translation},
    {.name = "inference.visual-question-answering",
     .summary = "Answer to a question about a picture.",
     .params = HF_TABLE(visual_question_answering),
     .flags = TASK_FLAGS,
     .run = run_visual_question_answering},
    {.name = "inference.zero-shot-classification",
     .summary = "Which of the given labels fit a text.",
     .params = HF_TABLE(zero_shot_classification),
     .flags = TASK_FLAGS,
     .run = run_zero_shot_classification},
    {.name = "inference.zero-shot-image-classification",
     .summary = "Which of the given labels fit a picture.",
     .params = HF_TABLE(zero_shot_image_classification),
     .flags = TASK_FLAGS,
     .run = run_zero_shot_image_classification},
    {.name = "inference.image-text-to-image",
     .summary = "A picture made from a text, and from a picture when there is one.",
     .params = HF_TABLE(image_to_image),
     .flags = TASK_FLAGS,
     .run = run_image_text_to_image},
    {.name = "inference.image-text-to-video",
     .summary = "A video made from a text, and from a picture when there is one.",
     .params = HF_TABLE(image_to_video),
     .flags = TASK_FLAGS,
     .run = run_image_text_to_video},
    {.name = "inference.text-to-audio",
     .summary = "A sound made from a text.",
     .params = HF_TABLE(text_to_speech),
     .flags = TASK_FLAGS,
     .run = run_text_to_audio},
};

const struct hf_tasks hf_hub_tasks_inference = HF_HUB_TASKS("hub-inference", "inference", HF_TABLE(commands));

const struct inf_task *inf_task_find(const char *name) {
  for (uint32_t i = 0; i < inf_task_count; i++)
    if (!strcmp(inf_tasks[i].name, name) || !strcmp(inf_tasks[i].method, name)) return &inf_tasks[i];
  return strcmp(name, "chat") ? NULL : inf_task_find("conversational");
}
