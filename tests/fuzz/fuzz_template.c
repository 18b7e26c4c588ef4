/* Key templates: the first line is the template, the rest a text that is read backwards by it. */
#include "support.h"

#include "plan/words/template.h"
#include "plan/words/template_read.h"
#include <string.h>

enum { TEXT_BYTES_MAX = 4096 };

static void parse(struct text text, struct arena *arena, struct plan_template *template,
                  uint32_t *faults_found)
{
    struct plan_faults faults;
    char *copy = arena_copy(arena, text.data, text.length);
    struct plan_node node = {.kind = PLAN_NODE_SCALAR,
                             .line = 1,
                             .column = 1,
                             .text = copy,
                             .length = (uint32_t)text.length,
                             .quoted = true};
    plan_faults_init(&faults, "p.yaml", NULL);
    template_parse(&node, arena, &faults, template);
    *faults_found = faults.count;
    if (faults.count > 0) {
        fuzz_check_error(&faults.first);
    }
}

/* Writes the values into the template; a padded number is as long again as its template wants it.
 */
static void render(const struct plan_template *template, const struct template_slice *slices,
                   struct buffer *out)
{
    uint32_t value = 0;
    for (uint32_t at = 0; at < template->count; at++) {
        const struct template_part *part = &template->parts[at];
        buffer_append(out, part->literal, part->literal_length);
        if (!part->has_value) {
            continue;
        }
        const struct template_slice *slice = &slices[value++];
        bool has_sign = part->pad > 0 && slice->length > 0 && slice->text[0] == '-';
        struct text number = {slice->text + has_sign, slice->length - has_sign};
        if (slice->minus || has_sign) {
            buffer_append_byte(out, '-');
        }
        for (size_t zeros = number.length; zeros < part->pad; zeros++) {
            buffer_append_byte(out, '0');
        }
        buffer_append(out, number.data, number.length);
    }
}

static void read_back(const struct plan_template *template, struct text text)
{
    struct template_slice slices[TEMPLATE_READ_VALUES_MAX] = {0};
    struct buffer out = {0};
    enum template_fit fit = template_read(template, text.data, text.length, slices);
    FUZZ_REQUIRE(fit == template_read(template, text.data, text.length, NULL));
    if (fit == TEMPLATE_FITS) {
        render(template, slices, &out);
        FUZZ_REQUIRE(out.length == text.length &&
                     memcmp(buffer_string(&out), text.data, text.length) == 0);
    }
    buffer_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text input = {(const char *)data, size};
    struct text line = fuzz_line(&input);
    struct plan_template template = {0};
    struct plan_template again = {0};
    struct buffer printed = {0};
    uint32_t faults = 0;
    uint32_t second = 0;
    if (size == 0 || size > TEXT_BYTES_MAX || !text_is_utf8(data, size) ||
        memchr(line.data, '\0', line.length) != NULL) {
        return 0;
    }
    struct arena *arena = arena_create(0);
    parse(line, arena, &template, &faults);
    if (faults == 0) {
        template_print(&template, &printed);
        parse((struct text){printed.data, printed.length}, arena, &again, &faults);
        FUZZ_REQUIRE(faults == 0);
        FUZZ_REQUIRE(template_is_alike(&template, &again));
        FUZZ_REQUIRE(template_overlaps(&template, &again));
        if (template_value_count(&template) <= TEMPLATE_READ_VALUES_MAX &&
            template_is_readable(&template, &second)) {
            read_back(&template, input);
        }
    }
    buffer_free(&printed);
    arena_destroy(arena);
    return 0;
}
