/* Texts to tokens: normal form, words, longest tokens; and tokenizers that are refused. */
#include "design/embed/embed_normal.h"
#include "design/embed/embed_wordpiece.h"
#include "support.h"
#include <string.h>

#define STEPS                                                                   \
    "\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\":true,"          \
    "\"handle_chinese_chars\":true,\"strip_accents\":null,\"lowercase\":true}," \
    "\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},"
#define ADDED                                                                                   \
    "\"added_tokens\":[{\"id\":3,\"content\":\"[SEP]\",\"single_word\":false,\"lstrip\":false," \
    "\"rstrip\":false,\"normalized\":false,\"special\":true}],"
#define VOCABULARY                                                                             \
    "{\"[PAD]\":0,\"[UNK]\":1,\"[CLS]\":2,\"[SEP]\":3,\"order\":4,\"##s\":5,\".\":6,\"id\":7," \
    "\"_\":8,\"or\":9,\"##der\":10,\"##ing\":11,\"e\":12,\"\xe4\xb8\xad\":13,\"a\":14,"        \
    "\"[\":15,\"]\":16,\"##\xce\xb1\":17,\"sep\":18}"
#define TOKENIZER                                                                               \
    "{" STEPS ADDED "\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\","                \
    "\"continuing_subword_prefix\":\"##\",\"max_input_chars_per_word\":8,\"vocab\":" VOCABULARY \
    "}}"

/* ---------------------------------------------------------------- the normal form */

/* A text literal may hold NUL. */
#define assert_normal(text, expected)                                  \
    check_normal(text, sizeof(text) - 1, (const uint32_t *)(expected), \
                 sizeof(expected) / sizeof(uint32_t) - 1)

static void check_normal(const char *text, size_t length, const uint32_t *expected, size_t count)
{
    struct embed_points points = {0};
    embed_normalize((struct text){text, length}, &points);
    assert_int_equal(points.count, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(points.points[i], expected[i]);
    }
    embed_points_free(&points);
}

static void normal_forms(void **state)
{
    (void)state;
    assert_normal("", U"");
    assert_normal("Order_ID 7", U"order_id 7");
    assert_normal("a\tb\nc\rd", U"a b c d");
    /* control characters go, the vertical tab too; so do U+FFFD, zero-width and private ones */
    assert_normal("a\0b\x0b"
                  "c\xef\xbf\xbd"
                  "d\xe2\x80\x8b"
                  "e\xee\x80\x80"
                  "f",
                  U"abcdef");
    assert_normal("a\xc2\xa0"
                  "b\xe3\x80\x80"
                  "c\xe2\x80\xa8"
                  "d",
                  U"a b c d");
    /* what is no UTF-8: a stray byte, a surrogate, an overlong slash, an end that is cut off */
    assert_normal("a\xff"
                  "b\xed\xa0\x80"
                  "c\xc0\xaf"
                  "d\xe4\xb8",
                  U"abcd");
    /* accents go, precomposed or not; what decomposes to letters stays */
    assert_normal("\xc3\x89"
                  "cole e\xcc\x81\xcc\xa3",
                  U"ecole e");
    assert_normal("\xc4\xb0stanbul \xc3\x98", U"istanbul \u00f8");
    assert_normal("\xce\x91\xce\xa3", U"\u03b1\u03c3"); /* no final sigma */
    assert_normal("\xea\xb0\x81", U"\u1100\u1161\u11a8");
    /* Chinese stands alone, other scripts of the region do not; a compatibility form decomposes */
    assert_normal("a\xe4\xb8\xad\xe6\x96\x87"
                  "b",
                  U"a \u4e2d  \u6587 b");
    assert_normal("\xe3\x81\x82\xe3\x82\xac",
                  U"\u3042\u30ab"); /* its mark of voice is of category Mn */
    assert_normal("\xef\xa4\x80", U" \u8c48 ");
    /* Marks that combine, but are not of category Mn, stand in the order of their classes. */
    assert_normal("a\xf0\x9d\x85\xad\xf0\x9d\x85\xa5", U"a\U0001d165\U0001d16d");
    assert_normal("\xf0\x9d\x85\xad"
                  "a\xf0\x9d\x85\xa5",
                  U"\U0001d16d"
                  U"a\U0001d165");
}

static void a_long_text_grows(void **state)
{
    (void)state;
    char text[1000];
    struct embed_points points = {0};
    memset(text, 'A', sizeof text);
    embed_normalize((struct text){text, sizeof text}, &points);
    assert_int_equal(points.count, sizeof text);
    assert_int_equal(points.points[999], 'a');
    embed_normalize((struct text){text, 1}, &points);
    assert_int_equal(points.count, 1);
    embed_points_free(&points);
}

static void punctuation(void **state)
{
    (void)state;
    for (const char *at = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"; *at != '\0'; at++) {
        assert_true(embed_is_punctuation((uint32_t)*at));
    }
    assert_true(embed_is_punctuation(0x2014));
    assert_true(embed_is_punctuation(0x3002));
    assert_true(embed_is_punctuation(0xbf));
    assert_false(embed_is_punctuation('a'));
    assert_false(embed_is_punctuation('0'));
    assert_false(embed_is_punctuation(0x20ac)); /* a symbol of currency */
}

/* ---------------------------------------------------------------- tokens */

static struct embed_wordpiece *read_tokenizer(const char *json)
{
    struct embed_wordpiece *wordpiece = NULL;
    struct error error = {0};
    if (embed_wordpiece_read(json, strlen(json), "tokenizer.json", &wordpiece, &error) !=
        STATUS_OK) {
        fail_msg("%s: %s", error.object, error.message);
    }
    return wordpiece;
}

static void assert_tokens(struct embed_wordpiece *wordpiece, const char *text, size_t limit,
                          const char *expected)
{
    uint32_t tokens[64];
    struct buffer found = {0};
    size_t count =
        embed_wordpiece_split(wordpiece, (struct text){text, strlen(text)}, tokens, limit);
    for (size_t i = 0; i < count; i++) {
        buffer_format(&found, i == 0 ? "%u" : " %u", (unsigned)tokens[i]);
    }
    assert_string_equal(buffer_string(&found), expected);
    buffer_free(&found);
}

static void tokens_of_words(void **state)
{
    (void)state;
    struct embed_wordpiece *wordpiece = read_tokenizer(TOKENIZER);
    assert_int_equal(embed_wordpiece_size(wordpiece), 19);
    assert_tokens(wordpiece, "", 64, "2 3");
    assert_tokens(wordpiece, "  \t ", 64, "2 3");
    assert_tokens(wordpiece, "Orders.ID", 64, "2 4 5 6 7 3");
    assert_tokens(wordpiece, "order_id", 64, "2 4 8 7 3");
    assert_tokens(wordpiece, "orders ordering", 64, "2 4 5 4 11 3");
    assert_tokens(wordpiece, "orders ordersx id", 64, "2 4 5 1 7 3"); /* as a whole unknown */
    assert_tokens(wordpiece, "a\xce\x91\xce\xb1", 64, "2 14 17 17 3");
    assert_tokens(wordpiece,
                  "id\xe4\xb8\xad"
                  "id",
                  64, "2 7 13 7 3");
    assert_tokens(wordpiece, "orderssss", 64, "2 1 3"); /* nine characters; eight may be */
    assert_tokens(wordpiece, "ordersss", 64, "2 4 5 5 5 3");
    assert_tokens(wordpiece, "##s", 64, "2 1 1 1 3"); /* # is punctuation, and s begins nothing */
    embed_wordpiece_close(wordpiece);
    embed_wordpiece_close(NULL);
}

static void special_tokens_stand_as_they_are(void **state)
{
    (void)state;
    struct embed_wordpiece *wordpiece = read_tokenizer(TOKENIZER);
    assert_tokens(wordpiece, "id[SEP]id", 64, "2 7 3 7 3");
    assert_tokens(wordpiece, "[SEP][SEP]", 64, "2 3 3 3");
    assert_tokens(wordpiece, "[sep]", 64, "2 15 18 16 3");
    assert_tokens(wordpiece, "[SEP", 64, "2 15 18 3");
    embed_wordpiece_close(wordpiece);
}

static void at_most_so_many(void **state)
{
    (void)state;
    struct embed_wordpiece *wordpiece = read_tokenizer(TOKENIZER);
    static char large[EMBED_TEXT_BYTES_MAX + 100];
    uint32_t tokens[8];
    assert_tokens(wordpiece, "order_id.id", 4, "2 4 8 3");
    assert_tokens(wordpiece, "orders", 3, "2 4 3");
    assert_tokens(wordpiece, "orders", 2, "2 3");
    assert_tokens(wordpiece, "id[SEP]id", 4, "2 7 3 3");
    memset(large, ' ', sizeof large);
    memcpy(large + sizeof large - 2, "id", 2);
    assert_int_equal(
        embed_wordpiece_split(wordpiece, (struct text){large, sizeof large}, tokens, 8), 2);
    memcpy(large + EMBED_TEXT_BYTES_MAX - 2, "id", 2);
    assert_int_equal(
        embed_wordpiece_split(wordpiece, (struct text){large, sizeof large}, tokens, 8), 3);
    embed_wordpiece_close(wordpiece);
}

static void assert_refused(const char *json, const char *why)
{
    struct embed_wordpiece *wordpiece = NULL;
    struct error error = {0};
    assert_int_equal(embed_wordpiece_read(json, strlen(json), "tokenizer.json", &wordpiece, &error),
                     STATUS_FAILED);
    assert_null(wordpiece);
    assert_int_equal(error.code, ERROR_WEIGHTS_INVALID);
    if (strstr(error.message, why) == NULL) {
        fail_msg("%s", error.message);
    }
}

static void other_tokenizers_are_refused(void **state)
{
    (void)state;
    assert_refused("", "is damaged");
    assert_refused("{", "is damaged");
    assert_refused("[]", "normal form");
    assert_refused("{}", "normal form");
    assert_refused("{\"normalizer\":{\"type\":\"BertNormalizer\",\"lowercase\":false}}",
                   "normal form");
    assert_refused("{\"normalizer\":{\"type\":\"BertNormalizer\"},\"pre_tokenizer\":null}",
                   "split words");
    assert_refused("{" STEPS "\"model\":{\"type\":\"BPE\"}}", "WordPiece");
    assert_refused("{" STEPS "\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"a\":-1}}}",
                   "out of range");
    assert_refused("{" STEPS "\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"a\":\"b\"}}}",
                   "no number");
    assert_refused("{" STEPS "\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"a\":1}}}",
                   "lacks [CLS]");
    assert_refused("{" STEPS "\"model\":{\"max_input_chars_per_word\":0,\"vocab\":" VOCABULARY "}}",
                   "longer");
    assert_refused("{" STEPS "\"added_tokens\":[{\"id\":1,\"content\":\"x\",\"lstrip\":true}],"
                   "\"model\":{\"vocab\":" VOCABULARY "}}",
                   "added token");
    assert_refused("{" STEPS "\"added_tokens\":[7],\"model\":{\"vocab\":" VOCABULARY "}}",
                   "added token");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(normal_forms),
        cmocka_unit_test(a_long_text_grows),
        cmocka_unit_test(punctuation),
        cmocka_unit_test(tokens_of_words),
        cmocka_unit_test(special_tokens_stand_as_they_are),
        cmocka_unit_test(at_most_so_many),
        cmocka_unit_test(other_tokenizers_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
