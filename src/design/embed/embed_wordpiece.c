/* The vocabulary of a tokenizer.json, and words in its tokens. */
#include "design/embed/embed_wordpiece.h"

#include "base/arena.h"
#include "base/memory.h"
#include "base/name_index.h"
#include "design/embed/embed_normal.h"
#include "model/json_tree.h"
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

enum { WORD_POINTS_MAX = 1000, POINT_BYTES_MAX = 4, TOKENS_MAX = 1 << 20 };

/* A token that stands as it is in texts, whatever is around it: "[SEP]". */
struct special {
    const char *name;
    size_t length;
    uint32_t token;
};

struct embed_wordpiece {
    const char *name;
    struct arena *arena;
    struct name_index heads; /* tokens at the beginning of a word */
    struct name_index tails; /* tokens within one, without the prefix */
    size_t longest;          /* token in bytes */
    struct special *specials;
    size_t special_count;
    size_t word_points_max; /* a longer word is unknown */
    uint32_t size;
    uint32_t unknown;
    uint32_t begin;
    uint32_t end;
    struct embed_points points; /* of the text in hand */
};

/* Tokens of the text in hand. */
struct tokens {
    uint32_t *tokens;
    size_t count;
    size_t limit;
};

static enum status refused(const struct embed_wordpiece *wordpiece, const char *what,
                           struct error *error)
{
    return error_set(error, ERROR_WEIGHTS_INVALID, wordpiece->name,
                     "this is no tokenizer of the kind that is read here: %s", what);
}

/* ---------------------------------------------------------------- reading the file */

static int has_type(const json_t *object, const char *type)
{
    const char *found = json_string_value(json_object_get(object, "type"));
    return found != NULL && strcmp(found, type) == 0;
}

/* A member that is missing or null is as BERT has it. */
static int is_set(const json_t *object, const char *member)
{
    const json_t *value = json_object_get(object, member);
    return value == NULL || json_is_null(value) || json_is_true(value);
}

static enum status check_steps(const struct embed_wordpiece *wordpiece, const json_t *root,
                               struct error *error)
{
    const json_t *normalizer = json_object_get(root, "normalizer");
    if (!has_type(normalizer, "BertNormalizer") || !is_set(normalizer, "clean_text") ||
        !is_set(normalizer, "handle_chinese_chars") || !is_set(normalizer, "strip_accents") ||
        !is_set(normalizer, "lowercase")) {
        return refused(wordpiece, "its normal form is not BERT's without case", error);
    }
    if (!has_type(json_object_get(root, "pre_tokenizer"), "BertPreTokenizer")) {
        return refused(wordpiece, "it does not split words as BERT does", error);
    }
    const json_t *model = json_object_get(root, "model");
    const json_t *type = json_object_get(model, "type");
    if (!json_is_object(model) || (type != NULL && !has_type(model, "WordPiece"))) {
        return refused(wordpiece, "its model is not WordPiece", error);
    }
    return STATUS_OK;
}

static enum status read_number(const struct embed_wordpiece *wordpiece, const json_t *value,
                               uint32_t *number, struct error *error)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0 ||
        json_integer_value(value) >= TOKENS_MAX) {
        return refused(wordpiece, "a token has no number, or one out of range", error);
    }
    *number = (uint32_t)json_integer_value(value);
    return STATUS_OK;
}

static enum status read_vocabulary(struct embed_wordpiece *wordpiece, const json_t *model,
                                   struct error *error)
{
    const char *prefix = json_string_value(json_object_get(model, "continuing_subword_prefix"));
    const char *name = NULL;
    json_t *value = NULL;
    if (prefix == NULL) {
        prefix = "##";
    }
    size_t prefix_length = strlen(prefix);
    json_object_foreach((json_t *)(uintptr_t)json_object_get(model, "vocab"), name, value)
    {
        uint32_t number = 0;
        size_t length = strlen(name);
        if (read_number(wordpiece, value, &number, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        const char *copy = arena_copy(wordpiece->arena, name, length);
        (void)name_index_add(&wordpiece->heads, copy, length, number);
        if (length > prefix_length && strncmp(name, prefix, prefix_length) == 0) {
            (void)name_index_add(&wordpiece->tails, copy + prefix_length, length - prefix_length,
                                 number);
        }
        wordpiece->longest = length > wordpiece->longest ? length : wordpiece->longest;
        wordpiece->size = number >= wordpiece->size ? number + 1 : wordpiece->size;
    }
    const json_t *points = json_object_get(model, "max_input_chars_per_word");
    wordpiece->word_points_max = points == NULL ? 100 : (size_t)json_integer_value(points);
    if (wordpiece->word_points_max < 1 || wordpiece->word_points_max > WORD_POINTS_MAX) {
        return refused(wordpiece, "its words may be longer than is read", error);
    }
    return STATUS_OK;
}

static int is_off(const json_t *object, const char *member)
{
    return !json_is_true(json_object_get(object, member));
}

static enum status read_specials(struct embed_wordpiece *wordpiece, const json_t *added,
                                 struct error *error)
{
    size_t count = json_array_size(added);
    wordpiece->specials = arena_allocate_zeroed(wordpiece->arena, count, sizeof(struct special));
    for (size_t i = 0; i < count; i++) {
        const json_t *entry = json_array_get(added, i);
        const char *content = json_string_value(json_object_get(entry, "content"));
        struct special *special = &wordpiece->specials[i];
        if (content == NULL || *content == '\0' || !is_off(entry, "single_word") ||
            !is_off(entry, "lstrip") || !is_off(entry, "rstrip") || !is_off(entry, "normalized")) {
            return refused(wordpiece, "an added token is to be found in a way of its own", error);
        }
        *special = (struct special){.name = arena_copy_string(wordpiece->arena, content),
                                    .length = strlen(content)};
        if (read_number(wordpiece, json_object_get(entry, "id"), &special->token, error) !=
            STATUS_OK) {
            return STATUS_FAILED;
        }
        wordpiece->size = special->token >= wordpiece->size ? special->token + 1 : wordpiece->size;
        wordpiece->special_count++;
    }
    return STATUS_OK;
}

static int find_token(const struct embed_wordpiece *wordpiece, const char *name, uint32_t *token)
{
    *token = name_index_find(&wordpiece->heads, name, strlen(name));
    return *token != NAME_INDEX_NONE;
}

static enum status read_root(struct embed_wordpiece *wordpiece, const json_t *root,
                             struct error *error)
{
    const json_t *model = json_object_get(root, "model");
    const char *unknown = json_string_value(json_object_get(model, "unk_token"));
    if (check_steps(wordpiece, root, error) != STATUS_OK ||
        read_vocabulary(wordpiece, model, error) != STATUS_OK ||
        read_specials(wordpiece, json_object_get(root, "added_tokens"), error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!find_token(wordpiece, "[CLS]", &wordpiece->begin) ||
        !find_token(wordpiece, "[SEP]", &wordpiece->end) ||
        !find_token(wordpiece, unknown == NULL ? "[UNK]" : unknown, &wordpiece->unknown)) {
        return refused(wordpiece, "its vocabulary lacks [CLS], [SEP] or the unknown token", error);
    }
    return STATUS_OK;
}

enum status embed_wordpiece_read(const char *bytes, size_t length, const char *name,
                                 struct embed_wordpiece **out, struct error *error)
{
    json_t *root = NULL;
    *out = NULL;
    if (json_tree_parse(bytes, length, 0, name, ERROR_WEIGHTS_INVALID, &root, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct arena *arena = arena_create(0);
    struct embed_wordpiece *wordpiece = arena_allocate_zeroed(arena, 1, sizeof *wordpiece);
    wordpiece->arena = arena;
    wordpiece->name = arena_copy_string(arena, name);
    wordpiece->heads.arena = arena;
    wordpiece->tails.arena = arena;
    enum status status = read_root(wordpiece, root, error);
    json_decref(root);
    if (status != STATUS_OK) {
        embed_wordpiece_close(wordpiece);
        return status;
    }
    *out = wordpiece;
    return STATUS_OK;
}

void embed_wordpiece_close(struct embed_wordpiece *wordpiece)
{
    if (wordpiece != NULL) {
        embed_points_free(&wordpiece->points);
        arena_destroy(wordpiece->arena);
    }
}

uint32_t embed_wordpiece_size(const struct embed_wordpiece *wordpiece)
{
    return wordpiece->size;
}

/* ---------------------------------------------------------------- splitting texts */

static int is_full(const struct tokens *tokens)
{
    return tokens->count == tokens->limit;
}

static void add_token(struct tokens *tokens, uint32_t token)
{
    if (!is_full(tokens)) {
        tokens->tokens[tokens->count++] = token;
    }
}

/* The longest token at `*at` among the index's; moves there behind it. `ends` are the ends of the
 * word's characters. */
static uint32_t take_token(const struct embed_wordpiece *wordpiece, const struct name_index *index,
                           const char *word, const size_t *ends, size_t count, size_t *at)
{
    size_t begin = *at == 0 ? 0 : ends[*at - 1];
    for (size_t last = count; last > *at; last--) {
        size_t length = ends[last - 1] - begin;
        uint32_t token = length > wordpiece->longest ? (uint32_t)NAME_INDEX_NONE
                                                     : name_index_find(index, word + begin, length);
        if (token != NAME_INDEX_NONE) {
            *at = last;
            return token;
        }
    }
    return NAME_INDEX_NONE;
}

/* A word of which some character begins no token is one unknown token. */
static void add_word(const struct embed_wordpiece *wordpiece, const uint32_t *points, size_t count,
                     struct tokens *out)
{
    char word[WORD_POINTS_MAX * POINT_BYTES_MAX];
    size_t ends[WORD_POINTS_MAX];
    uint32_t found[WORD_POINTS_MAX];
    size_t length = 0;
    size_t found_count = 0;
    size_t at = 0;
    if (count > wordpiece->word_points_max) {
        add_token(out, wordpiece->unknown);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        length += (size_t)utf8proc_encode_char((utf8proc_int32_t)points[i],
                                               (utf8proc_uint8_t *)word + length);
        ends[i] = length;
    }
    while (at < count) {
        const struct name_index *index = at == 0 ? &wordpiece->heads : &wordpiece->tails;
        uint32_t token = take_token(wordpiece, index, word, ends, count, &at);
        if (token == NAME_INDEX_NONE) {
            add_token(out, wordpiece->unknown);
            return;
        }
        found[found_count++] = token;
    }
    for (size_t i = 0; i < found_count; i++) {
        add_token(out, found[i]);
    }
}

static void add_words(struct embed_wordpiece *wordpiece, struct text text, struct tokens *out)
{
    embed_normalize(text, &wordpiece->points);
    const uint32_t *points = wordpiece->points.points;
    size_t count = wordpiece->points.count;
    size_t begin = 0;
    for (size_t at = 0; at <= count && !is_full(out); at++) {
        bool stands_alone = at < count && embed_is_punctuation(points[at]);
        if (at < count && points[at] != ' ' && !stands_alone) {
            continue;
        }
        if (at > begin) {
            add_word(wordpiece, points + begin, at - begin, out);
        }
        if (stands_alone) {
            add_word(wordpiece, points + at, 1, out);
        }
        begin = at + 1;
    }
}

/* The longest special token that the text begins with. */
static const struct special *special_at(const struct embed_wordpiece *wordpiece, struct text text)
{
    const struct special *found = NULL;
    for (size_t i = 0; i < wordpiece->special_count; i++) {
        const struct special *special = &wordpiece->specials[i];
        if (special->length <= text.length &&
            memcmp(special->name, text.data, special->length) == 0 &&
            (found == NULL || special->length > found->length)) {
            found = special;
        }
    }
    return found;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): written through `out` */
size_t embed_wordpiece_split(struct embed_wordpiece *wordpiece, struct text text, uint32_t *tokens,
                             size_t limit)
{
    struct tokens out = {.tokens = tokens, .limit = limit - 1};
    size_t begin = 0;
    if (text.length > EMBED_TEXT_BYTES_MAX) {
        text.length = EMBED_TEXT_BYTES_MAX;
    }
    add_token(&out, wordpiece->begin);
    for (size_t at = 0; at < text.length && !is_full(&out);) {
        const struct special *special =
            special_at(wordpiece, (struct text){text.data + at, text.length - at});
        if (special == NULL) {
            at++;
            continue;
        }
        add_words(wordpiece, (struct text){text.data + begin, at - begin}, &out);
        add_token(&out, special->token);
        at += special->length;
        begin = at;
    }
    add_words(wordpiece, (struct text){text.data + begin, text.length - begin}, &out);
    out.limit = limit;
    add_token(&out, wordpiece->end);
    return out.count;
}
