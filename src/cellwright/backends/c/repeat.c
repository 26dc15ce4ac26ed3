/* A call that is made again: what of it needs no answer from Python. Of what form tensors
 * are, whether others lie where they lay, and a pass done once more with the addresses of
 * now in its slots.
 *
 * Each such question asked in Python takes a tenth of a microsecond, three tenths where a
 * kernel has swept the caches, and a training step of a small layer asks some hundred.
 *
 * A system need not have Python's headers, so functions of its stable ABI come as
 * addresses, in the order of EVERY_FUNCTION. Of tensors tells torch by the table that it
 * has for other libraries (DLPack, `DLPackExchangeAPI`). Whatever takes or returns an
 * object is called with Python's lock held.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "abi.h"

#define SEEN __attribute__((visibility("default")))

typedef struct object object; /* of Python */
typedef intptr_t count;

typedef struct {
    const char *name;
    void *function;
    int flags;
    const char *doc;
} Method;

enum { ONE_ARGUMENT = 0x8, ANY_ARGUMENTS = 0x80 }; /* METH_O and METH_FASTCALL */

#define EVERY_FUNCTION(X) \
    X(void, Py_DecRef, (object *)) \
    X(void, Py_IncRef, (object *)) \
    X(object *, PyBool_FromLong, (long)) \
    X(object *, PyBytes_FromStringAndSize, (const char *, count)) \
    X(void *, PyCapsule_GetPointer, (object *, const char *)) \
    X(object *, PyCapsule_New, (void *, const char *, void (*)(object *))) \
    X(object *, PyCFunction_NewEx, (Method *, object *, object *)) \
    X(int, PyErr_BadArgument, (void)) \
    X(void, PyErr_Clear, (void)) \
    X(object *, PyErr_NoMemory, (void)) \
    X(void, PyErr_SetString, (object *, const char *)) \
    X(void *, PyEval_SaveThread, (void)) \
    X(void, PyEval_RestoreThread, (void *)) \
    X(object *, PyNumber_Add, (object *, object *)) \
    X(object *, PyObject_CallFunctionObjArgs, (object *, ...)) \
    X(object *, PyObject_CallNoArgs, (object *)) \
    X(object *, PyObject_GetAttr, (object *, object *)) \
    X(object *, PyObject_Type, (object *)) \
    X(object *, PyTuple_GetItem, (object *, count)) \
    X(object *, PyTuple_New, (count)) \
    X(int, PyTuple_SetItem, (object *, count, object *)) \
    X(count, PyTuple_Size, (object *)) \
    X(object *, PyUnicode_FromString, (const char *))

typedef struct {
#define FIELD(result, name, arguments) result(*name) arguments;
    EVERY_FUNCTION(FIELD)
#undef FIELD
} Python;

/* What DLPack tells of a tensor. */
typedef struct {
    void *data;
    struct {
        int32_t kind, number;
    } device;
    int32_t axes;
    struct {
        uint8_t code, bits;
        uint16_t lanes;
    } type;
    int64_t *shape, *strides;
    uint64_t offset;
} Told;

typedef struct {
    uint32_t major, minor;
    void *previous;
    void *others[3];
    int (*tell)(object *, Told *);
} Exchange;

enum { PROCESSOR = 1, EDITION = 1 };

/* What the process has one of, see `cellwright_repeat_open`. */
static Python py;
static int (*tell)(object *, Told *);
static object *tensor_type, *parameter_type, *is_neg, *as_strided, *memory_error;
static object *requires_grad, *yes, *none;

static const char KEPT[] = "cellwright.kept";

static object *new_reference(object *value)
{
    py.Py_IncRef(value);
    return value;
}

/* An object's type. It lives as long as the object does, so no reference is kept. */
static object *type_of(object *value)
{
    object *type = py.PyObject_Type(value);
    py.Py_DecRef(type);
    return type;
}

/* Whether an answer is yes, -1 where there is none because of an exception. */
static int is_yes(object *answer)
{
    if (!answer)
        return -1;
    py.Py_DecRef(answer);
    return answer == yes;
}

/* Whether a gradient is asked of a tensor, and whether its memory holds the negatives of
 * its numbers: two bits, or -1 for an exception. */
static int bits_of(object *tensor)
{
    int asks = is_yes(py.PyObject_GetAttr(tensor, requires_grad));
    if (asks < 0)
        return asks;
    int negative = is_yes(py.PyObject_CallFunctionObjArgs(is_neg, tensor, (object *)0));
    return negative < 0 ? negative : negative << 1 | asks;
}

/* Ask torch of a tensor. It refuses those whose numbers lie nowhere: then it is no. */
static int is_told(object *tensor, Told *told)
{
    if (!tell(tensor, told)) {
        told->data = (char *)told->data + told->offset;
        return told->device.kind == PROCESSOR && told->data;
    }
    py.PyErr_Clear();
    return 0;
}

/* ---- the form of tensors */

enum { MOST_TOLD = 256 };

/* All that decides whether and how a kernel reads tensors, as bytes to be compared, None
 * among them too; None where one of them is not plain numbers in memory, or there are very
 * many. */
static object *form(object *self, object *const *tensors, count given)
{
    (void)self;
    int64_t form[MOST_TOLD];
    count length = 0;
    for (count i = 0; i < given; i++) {
        if (tensors[i] == none && length < MOST_TOLD) {
            form[length++] = -1;
            continue;
        }
        object *type = type_of(tensors[i]);
        if (type != tensor_type && type != parameter_type)
            return new_reference(none);
        int bits = bits_of(tensors[i]);
        if (bits < 0)
            return 0;
        /* Behind all questions to Python: then lengths may lie elsewhere. */
        Told told;
        if (bits >> 1 || !is_told(tensors[i], &told) ||
            length + 2 + 2 * told.axes > MOST_TOLD)
            return new_reference(none);
        form[length++] = told.type.code << 8 | told.type.bits;
        form[length++] = told.axes << 1 | bits;
        for (int axis = 0; axis < told.axes; axis++) {
            form[length++] = told.shape[axis];
            form[length++] = told.strides[axis];
        }
    }
    return py.PyBytes_FromStringAndSize((const char *)form, length * (count)sizeof *form);
}

/* ---- where tensors lie */

typedef struct {
    object *type;
    int bits;
    Told told; /* its shape and strides are copies */
} Place;

typedef struct {
    count size;
    int64_t *lengths; /* of all shapes and strides */
    Place place[];
} Places;

static void free_places(Places *places)
{
    for (count i = 0; i < places->size; i++)
        py.Py_DecRef(places->place[i].type);
    free(places->lengths);
    free(places);
}

static void drop_places(object *capsule)
{
    free_places(py.PyCapsule_GetPointer(capsule, KEPT));
}

/* Whether a tensor lies where another one did, in the same way; -1 for an exception. */
static int lies_there(object *tensor, const Place *place)
{
    const Told *then = &place->told;
    Told now;
    if (type_of(tensor) != place->type || !is_told(tensor, &now))
        return 0;
    size_t size = (size_t)then->axes * sizeof *then->shape;
    int is_same = now.data == then->data && now.axes == then->axes &&
                  !memcmp(&now.type, &then->type, sizeof now.type) &&
                  !memcmp(now.shape, then->shape, size) &&
                  !memcmp(now.strides, then->strides, size);
    int bits = is_same ? bits_of(tensor) : 0;
    return bits < 0 ? bits : is_same && bits == place->bits;
}

static object *hold(object *self, object *tensors)
{
    const Places *places = py.PyCapsule_GetPointer(self, KEPT);
    count size = py.PyTuple_Size(tensors);
    int holds = size < 0 ? -1 : size == places->size;
    for (count i = 0; holds > 0 && i < places->size; i++)
        holds = lies_there(py.PyTuple_GetItem(tensors, i), &places->place[i]);
    return holds < 0 ? 0 : py.PyBool_FromLong(holds);
}

/* ---- a pass */

/* Numbers say what it does, in the order of the fields; see `repeat.py`. */
typedef struct {
    int64_t given, made, calls, slots, pointers, ahead, behind, parts;
} Counts;

typedef struct {
    int64_t function, begin;
} Call;

typedef struct {
    int64_t at, base, offset;
} Pointer;

typedef struct {
    int64_t first, second;
} Sum;

typedef struct {
    int64_t base, is_view;
} Part;

typedef struct {
    Counts counts;
    const Call *calls;
    const int64_t *slots;
    const Pointer *pointers; /* those of one base side by side */
    const Sum *ahead, *behind;
    const Part *parts;
    object *makers, *views;
    int64_t numbers[];
} Script;

static void drop_script(object *capsule)
{
    Script *script = py.PyCapsule_GetPointer(capsule, KEPT);
    py.Py_DecRef(script->makers);
    py.Py_DecRef(script->views);
    free(script);
}

/* Make a pass' own tensors, and the sums of which functions read. Returns how many bases
 * there are then, -1 where one could not be made. */
static int64_t make(const Script *script, object **bases)
{
    const Counts *counts = &script->counts;
    int64_t size = counts->given;
    for (int64_t i = 0; i < counts->made; i++, size++)
        if (!(bases[size] = py.PyObject_CallNoArgs(py.PyTuple_GetItem(script->makers, i))))
            return -1;
    for (int64_t i = 0; i < counts->ahead; i++, size++)
        if (!(bases[size] = py.PyNumber_Add(bases[script->ahead[i].first],
                                            bases[script->ahead[i].second])))
            return -1;
    return size;
}

static int point(const Script *script, object *const *bases, int64_t *slots)
{
    int64_t last = -1;
    Told told = {0};
    for (int64_t i = 0; i < script->counts.pointers; i++) {
        const Pointer *pointer = &script->pointers[i];
        if (pointer->base != last && tell(bases[last = pointer->base], &told))
            return -1;
        slots[pointer->at] = (int64_t)(intptr_t)told.data + (int64_t)told.offset +
                             pointer->offset;
    }
    return 0;
}

static int call(const Script *script, int64_t *slots)
{
    int failed = 0;
    void *thread = py.PyEval_SaveThread();
    for (int64_t i = 0; !failed && i < script->counts.calls; i++) {
        int (*function)(const int64_t *);
        memcpy(&function, &script->calls[i].function, sizeof function);
        failed = function(slots + script->calls[i].begin);
    }
    py.PyEval_RestoreThread(thread);
    if (failed)
        py.PyErr_SetString(memory_error, "a kernel found no memory to work in");
    return failed ? -1 : 0;
}

static object *results(const Script *script, object *const *bases)
{
    object *found = py.PyTuple_New(script->counts.parts);
    for (int64_t i = 0, views = 0; found && i < script->counts.parts; i++) {
        const Part *part = &script->parts[i];
        object *one = part->base < 0 ? none : bases[part->base];
        if (part->is_view) {
            object *view = py.PyTuple_GetItem(script->views, views++);
            one = py.PyObject_CallFunctionObjArgs(
                as_strided, one, py.PyTuple_GetItem(view, 0), py.PyTuple_GetItem(view, 1),
                py.PyTuple_GetItem(view, 2), (object *)0);
        } else {
            py.Py_IncRef(one);
        }
        if (one) {
            py.PyTuple_SetItem(found, i, one);
        } else {
            py.Py_DecRef(found);
            found = 0;
        }
    }
    return found;
}

/* Do all of it; what is made stands in `bases`, and what was not is 0 there. */
static object *run_with(const Script *script, object **bases, int64_t *slots)
{
    memcpy(slots, script->slots, (size_t)script->counts.slots * sizeof *slots);
    int64_t size = make(script, bases);
    if (size < 0 || point(script, bases, slots) || call(script, slots))
        return 0;
    for (int64_t i = 0; i < script->counts.behind; i++, size++)
        if (!(bases[size] = py.PyNumber_Add(bases[script->behind[i].first],
                                            bases[script->behind[i].second])))
            return 0;
    return results(script, bases);
}

static object *run(object *self, object *given)
{
    const Script *script = py.PyCapsule_GetPointer(self, KEPT);
    const Counts *counts = &script->counts;
    if (py.PyTuple_Size(given) != counts->given) {
        py.PyErr_BadArgument();
        return 0;
    }
    int64_t own = counts->made + counts->ahead + counts->behind;
    int64_t *memory = calloc((size_t)(counts->given + own + counts->slots), sizeof *memory);
    if (!memory)
        return py.PyErr_NoMemory();
    object **bases = (object **)memory;
    for (int64_t i = 0; i < counts->given; i++)
        bases[i] = py.PyTuple_GetItem(given, i);
    object *found = run_with(script, bases, memory + counts->given + own);
    for (int64_t i = counts->given; i < counts->given + own && bases[i]; i++)
        py.Py_DecRef(bases[i]);
    free(memory);
    return found;
}

/* ---- what Python calls to begin with */

static Method form_method = {"form", 0, ANY_ARGUMENTS, 0};
static Method hold_method = {"hold", 0, ONE_ARGUMENT, 0};
static Method run_method = {"run", 0, ONE_ARGUMENT, 0};

/* A function of Python with something of ours that goes when it goes. */
static object *function_of(Method *method, void *kept, void (*drop)(object *))
{
    object *capsule = py.PyCapsule_New(kept, KEPT, drop);
    object *function = capsule ? py.PyCFunction_NewEx(method, capsule, 0) : 0;
    if (capsule)
        py.Py_DecRef(capsule);
    return function;
}

/* Copy memory: to where, from where, how many bytes. */
SEEN int cellwright_move(const int64_t *slot)
{
    memcpy((void *)(intptr_t)slot[0], (const void *)(intptr_t)slot[1], (size_t)slot[2]);
    return 0;
}

/* The name of the i-th function of Python that is needed; 0 behind the last one. */
SEEN const char *cellwright_repeat_needs(int i)
{
#define NAME(result, name, arguments) #name,
    static const char *const names[] = {EVERY_FUNCTION(NAME) 0};
#undef NAME
    return names[i];
}

/* Take what is needed: functions in that order, torch's table, and in a tuple Tensor,
 * Parameter, Tensor.is_neg, Tensor.as_strided, MemoryError, True and None. Returns whether
 * the table is one that is read here. */
SEEN int cellwright_repeat_open(const void *functions, const Exchange *exchange, object *known)
{
    object **const kept[] = {&tensor_type, &parameter_type, &is_neg, &as_strided,
                             &memory_error, &yes, &none};
    if (exchange->major != EDITION || !exchange->tell)
        return 0;
    memcpy(&py, functions, sizeof py);
    tell = exchange->tell;
    for (int i = 0; i < (int)(sizeof kept / sizeof *kept); i++)
        *kept[i] = new_reference(py.PyTuple_GetItem(known, i));
    requires_grad = py.PyUnicode_FromString("requires_grad");
    hold_method.function = (void *)hold;
    run_method.function = (void *)run;
    form_method.function = (void *)form;
    return requires_grad != 0;
}

SEEN object *cellwright_repeat_form(void)
{
    return py.PyCFunction_NewEx(&form_method, 0, 0);
}

static void copy_lengths(Places *places)
{
    int64_t *lengths = places->lengths;
    for (count i = 0; i < places->size; i++) {
        Told *told = &places->place[i].told;
        size_t bytes = (size_t)told->axes * sizeof *lengths;
        if (!bytes)
            continue;
        told->shape = memcpy(lengths, told->shape, bytes);
        told->strides = memcpy(lengths + told->axes, told->strides, bytes);
        lengths += 2 * told->axes;
    }
}

/* A function that says whether tensors lie where these do. */
SEEN object *cellwright_repeat_hold(object *tensors)
{
    count size = py.PyTuple_Size(tensors), axes = 0;
    Places *places = calloc(1, sizeof *places + (size_t)size * sizeof *places->place);
    if (!places)
        return py.PyErr_NoMemory();
    for (; places->size < size; places->size++) {
        Place *place = &places->place[places->size];
        object *tensor = py.PyTuple_GetItem(tensors, places->size);
        place->bits = bits_of(tensor);
        if (place->bits < 0) {
            free_places(places);
            return 0;
        }
        place->type = py.PyObject_Type(tensor);
    }
    /* Behind all questions to Python: then lengths may lie elsewhere. */
    for (count i = 0; i < size; i++) {
        Told *told = &places->place[i].told;
        /* Of one without numbers in memory nobody can say so: none lies there. */
        if (!is_told(py.PyTuple_GetItem(tensors, i), told))
            *told = (Told){0};
        axes += told->axes;
    }
    places->lengths = malloc((size_t)(2 * axes + 1) * sizeof *places->lengths);
    if (!places->lengths) {
        free_places(places);
        return py.PyErr_NoMemory();
    }
    copy_lengths(places);
    return function_of(&hold_method, places, drop_places);
}

/* A function that does a pass again.
 *
 * numbers: `length` of them: the counts, and then as many of each as these say.
 * makers: a tuple of functions that make its tensors.
 * views: one of shapes, strides and offsets, of each result that is a view. */
SEEN object *cellwright_repeat_run(const int64_t *numbers, int64_t length, object *makers,
                                   object *views)
{
    Script *script = malloc(sizeof *script + (size_t)length * sizeof *numbers);
    if (!script)
        return py.PyErr_NoMemory();
    memcpy(script->numbers, numbers, (size_t)length * sizeof *numbers);
    const int64_t *at = script->numbers;
    const Counts *counts = &script->counts;
    memcpy(&script->counts, at, sizeof *counts);
    script->calls = (const Call *)(at += sizeof *counts / sizeof *at);
    script->slots = at += 2 * counts->calls;
    script->pointers = (const Pointer *)(at += counts->slots);
    script->ahead = (const Sum *)(at += 3 * counts->pointers);
    script->behind = (const Sum *)(at += 2 * counts->ahead);
    script->parts = (const Part *)(at + 2 * counts->behind);
    script->makers = new_reference(makers);
    script->views = new_reference(views);
    return function_of(&run_method, script, drop_script);
}
