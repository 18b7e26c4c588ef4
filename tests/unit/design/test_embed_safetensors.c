/* Files of tensors, and files that lie. */
#include "base/bytes.h"
#include "design/embed/embed_safetensors.h"
#include "support.h"
#include <math.h>
#include <string.h>

/* The length, the header, and `data_bytes` of values that count up. */
static void make_file(struct buffer *file, const char *header, size_t data_bytes)
{
    uint8_t length[8];
    bytes_put_le(length, strlen(header), 8);
    buffer_clear(file);
    buffer_append(file, length, sizeof length);
    buffer_append_string(file, header);
    for (size_t i = 0; i < data_bytes; i++) {
        buffer_append_byte(file, (char)i);
    }
}

static void assert_refused(const struct buffer *file, const char *why)
{
    struct embed_safetensors *tensors = NULL;
    struct error error = {0};
    assert_int_equal(
        embed_safetensors_read(file->data, file->length, "a.safetensors", &tensors, &error),
        STATUS_FAILED);
    assert_null(tensors);
    assert_int_equal(error.code, ERROR_WEIGHTS_INVALID);
    assert_string_equal(error.object, "a.safetensors");
    if (strstr(error.message, why) == NULL) {
        fail_msg("%s", error.message);
    }
}

static void refuse_header(const char *header, size_t data_bytes, const char *why)
{
    struct buffer file = {0};
    make_file(&file, header, data_bytes);
    assert_refused(&file, why);
    buffer_free(&file);
}

static void files_that_lie(void **state)
{
    (void)state;
    struct buffer file = {0};
    buffer_append_string(&file, "1234567");
    assert_refused(&file, "no safetensors");
    make_file(&file, "{}", 0);
    file.data[0] = 3;
    assert_refused(&file, "no safetensors");
    file.data[7] = (char)0xff;
    assert_refused(&file, "no safetensors");
    buffer_free(&file);

    refuse_header("{", 0, "is damaged");
    refuse_header("[]", 0, "no JSON object");
    refuse_header("{\"a\":1}", 0, "no type and shape");
    refuse_header("{\"a\":{\"dtype\":\"X9\",\"shape\":[1],\"data_offsets\":[0,2]}}", 2, "no type");
    refuse_header("{\"a\":{\"dtype\":\"F16\",\"shape\":[-1],\"data_offsets\":[0,2]}}", 2,
                  "no type");
    refuse_header("{\"a\":{\"dtype\":\"F16\",\"shape\":1,\"data_offsets\":[0,2]}}", 2, "no type");
    refuse_header("{\"a\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[0]}}", 2,
                  "where its values");
    refuse_header("{\"a\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[0,2.0]}}", 2,
                  "where its values");
    refuse_header("{\"a\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[0,2]}}", 1,
                  "beyond the end");
    refuse_header("{\"a\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[2,0]}}", 2,
                  "beyond the end");
    refuse_header("{\"a\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[0,2]}}", 2,
                  "more or fewer");
    refuse_header("{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296,4],"
                  "\"data_offsets\":[0,0]}}",
                  0, "no type and shape");
    refuse_header("{\"a\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[0,2]}}", 4,
                  "more bytes");
    refuse_header("{\"a\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[2,4]}}", 4,
                  "does not begin");
    refuse_header("{\"a\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[0,2]},"
                  "\"b\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[0,2]}}",
                  2, "does not begin");
    refuse_header("{\"a\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[0,2]},"
                  "\"a\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[0,2]}}",
                  2, "is damaged");
}

static struct embed_safetensors *read_good(const struct buffer *file)
{
    struct embed_safetensors *tensors = NULL;
    struct error error = {0};
    if (embed_safetensors_read(file->data, file->length, "a.safetensors", &tensors, &error) !=
        STATUS_OK) {
        fail_msg("%s", error.message);
    }
    return tensors;
}

static void tensors_by_name_and_shape(void **state)
{
    (void)state;
    struct buffer file = {0};
    struct embed_tensor tensor;
    struct error error = {0};
    make_file(&file,
              "{\"__metadata__\":{\"format\":\"pt\"},"
              "\"b\":{\"dtype\":\"I64\",\"shape\":[1,1],\"data_offsets\":[12,20]},"
              "\"a\":{\"dtype\":\"F16\",\"shape\":[2,3],\"data_offsets\":[0,12]},"
              "\"empty\":{\"dtype\":\"F32\",\"shape\":[0,3],\"data_offsets\":[20,20]},"
              "\"one\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[20,24]}}   ",
              24);
    struct embed_safetensors *tensors = read_good(&file);
    assert_int_equal(embed_safetensors_find(tensors, "a", 2, 3, &tensor, &error), STATUS_OK);
    assert_int_equal(tensor.rows, 2);
    assert_int_equal(tensor.bytes[1], 1);
    assert_int_equal(embed_safetensors_find(tensors, "a", 0, 3, &tensor, &error), STATUS_OK);
    assert_int_equal(tensor.rows, 2);
    assert_int_equal(embed_safetensors_find(tensors, "c", 2, 3, &tensor, &error), STATUS_END);
    assert_int_equal(embed_safetensors_find(tensors, "a", 3, 2, &tensor, &error), STATUS_FAILED);
    assert_non_null(strstr(error.message, "3 x 2"));
    assert_int_equal(embed_safetensors_find(tensors, "a", 1, 3, &tensor, &error), STATUS_FAILED);
    assert_int_equal(embed_safetensors_find(tensors, "b", 1, 1, &tensor, &error), STATUS_FAILED);
    assert_non_null(strstr(error.message, "I64"));
    assert_int_equal(embed_safetensors_find(tensors, "one", 1, 1, &tensor, &error), STATUS_FAILED);
    embed_safetensors_close(tensors);
    embed_safetensors_close(NULL);
    buffer_free(&file);
}

static void check_half(uint16_t half, float expected)
{
    unsigned char bytes[2] = {(unsigned char)half, (unsigned char)(half >> 8)};
    struct embed_tensor tensor = {.type = EMBED_TYPE_F16, .rows = 1, .columns = 1, .bytes = bytes};
    float found = 0;
    embed_tensor_rows(&tensor, 0, 1, &found);
    if (isnan(expected)) {
        assert_true(isnan(found));
    } else {
        assert_memory_equal(&found, &expected, sizeof found); /* -0 is not 0 */
    }
}

static void values_of_both_types(void **state)
{
    (void)state;
    check_half(0x0000, 0.0F);
    check_half(0x8000, -0.0F);
    check_half(0x3c00, 1.0F);
    check_half(0xc000, -2.0F);
    check_half(0x3555, 0x1.554p-2F);
    check_half(0x7bff, 65504.0F);
    check_half(0x0400, 0x1p-14F);
    check_half(0x0001, 0x1p-24F); /* below the normal numbers */
    check_half(0x83ff, -0x1.ff8p-15F);
    check_half(0x7c00, INFINITY);
    check_half(0xfc00, -INFINITY);
    check_half(0x7e00, NAN);

    /* from an odd address, the second row */
    unsigned char bytes[1 + 4 * sizeof(float)];
    static const float values[] = {1.5F, -2.25F, 1e-30F, 3e38F};
    float found[2];
    memcpy(bytes + 1, values, sizeof values);
    struct embed_tensor tensor = {
        .type = EMBED_TYPE_F32, .rows = 2, .columns = 2, .bytes = bytes + 1};
    embed_tensor_rows(&tensor, 1, 1, found);
    assert_memory_equal(found, values + 2, sizeof found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_that_lie),
        cmocka_unit_test(tensors_by_name_and_shape),
        cmocka_unit_test(values_of_both_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
