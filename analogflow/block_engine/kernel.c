/* Follows many samples of a block graph through time: the march of integration.py, one lane a sample.

   A graph comes as a list of operations over slots, and this file knows no graph: it is built once for a machine. All arrays
   hold the lanes on their last axis, so that every operation is a plain loop over them. Nothing is reordered or fused, and
   exp, ln and tanh are its own: a sample's path has the same bits whichever samples run beside it, on every processor. */

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    CROSSBAR, LANE_CROSSBAR, SUM_FIRST, SUM_PAIR, SUM_NEXT, WIRE, MULTIPLIER, DIVIDER, LOG, EXP, SQUARE_ROOT, POSITIVE_PART, TANH, SINE,
    COMPARATOR, SWITCH, SOFTMAX, NORMALISER, MATRIX_PRODUCT, SHIFT, CLIP, SCALE, ARCTAN, WAVEFORM
};

typedef struct {
    int64_t code, out, size, a, a_size, b, b_size, rows, inner, columns, table;
    double c, d;
} Op;

typedef struct {
    int64_t start, size, rate, rate_size, gain, leak; /* slots; -1 where gain is 1, leak 0 */
    double limit;
} Part;

typedef struct {
    int64_t samples, lanes, size, slots, ops, parts, sources, saves, watches, constants, last_segment, implicit, order, sharpens, breaks, plays;
    double end, noise_step, relative, absolute, settled, fixed_size, runaway, unit, low, high;
    double shortest_rest, least_progress, sharpest, jitter, patience, safety, least_growth, most_growth, shortest, look;
    double clamp, gamma;
    uint64_t seed;
    const Op *program;
    const Part *integrators;
    const double *weights;        /* of crossbars and points of waveforms, one after another */
    const int64_t *tables;        /* of wires */
    const int64_t *watched;       /* slots of what has to rest */
    const int64_t *constant_slot; /* slot, number of values, offset and stride from sample to sample (0: shared) */
    const double *constant_value;
    const int64_t *numbers;       /* of the samples, and from bit 39 on of their chains */
    const int64_t *streams;       /* of the sources */
    const double *density;        /* of the sources, over the root of the knots' distance */
    const double *played;         /* (samples, last_segment + 2, sources) values at the knots, if it `plays` them */
    const double *start;          /* (samples, size) */
    const double *save;           /* (saves) */
    const double *breaking;       /* (breaks), ascending times that no step goes over */
    const double *a, *b, *c, *e, *p; /* the explicit method's coefficients: (6, 5), (6), (6), (7), (7, 4) */
    const double *ra, *rc, *rtime, *rdrift; /* the implicit method's: (5, 5), (6, 5), (6), (6) */
    double *states;               /* (samples, saves, size) */
    double *noise;                /* (samples, saves, sources) */
    double *final;                /* (samples, size) */
    double *final_noise;          /* (samples, sources) */
    double *reached;              /* (samples) */
    int8_t *outcome;              /* (samples): 1 settled, 2 failed, 3 stuck */
    int64_t *steps;               /* one number */
} Task;

#define BUFFER 32 /* knots that are drawn at once, and the most streams that are drawn for together */
#define STREAMS 4

typedef struct {
    Task t;
    int64_t next, active, tried;
    int64_t *sample, *saved, *unseen, *knot, *turns, *on, *reaches, *good, *broken;
    double *slots, *tangents, *y, *stages, *inner, *trial, *error, *rate, *moved;
    double *time, *h, *step, *limit, *size, *largest, *watch, *looked, *norm, *growth, *room, *segment, *position, *part, *sharpness, *slowest, *waited, *ahead;
    double *from, *to, *change, *before, *slope, *knots;
    double *matrix, *vector;
    int64_t *pivot;
} Walk;

/* A loop over lanes, or numbers of theirs that lie side by side, whose turns do not depend on each other. */
#ifdef __clang__
#define LANES(l, count) _Pragma("clang loop vectorize(assume_safety)") for (int64_t l = 0; l < (count); l++)
#else
#define LANES(l, count) _Pragma("GCC ivdep") for (int64_t l = 0; l < (count); l++)
#endif

/* ---- elementary functions ---------------------------------------------------------------------------------------------- */

static inline uint64_t bits_of(double x) { uint64_t u; memcpy(&u, &x, 8); return u; }
static inline double of_bits(uint64_t u) { double x; memcpy(&x, &u, 8); return x; }

#define ROUNDER 6755399441055744.0
#define LN2_HIGH 0x1.62e42fee00000p-1
#define LN2_LOW 0x1.a39ef35793c76p-33

/* a b + c, fused where the processor can: the same then in every loop, whole or its rest. */
static inline double mad(double a, double b, double c) {
#ifdef __FMA__
    return __builtin_fma(a, b, c);
#else
    return a * b + c;
#endif
}

/* (e^r - 1)/r for |r| <= ln(2)/2, interpolated at Chebyshev's points: to 2e-17. */
static inline double series(double r) {
    double s = mad(0x1.af4de97ca4194p-26, r, 0x1.28a2ca617b969p-22);
    s = mad(s, r, 0x1.71de0231960ebp-19); s = mad(s, r, 0x1.a019a6611cad5p-16); s = mad(s, r, 0x1.a01a01abe7fe1p-13);
    s = mad(s, r, 0x1.6c16c17f46982p-10); s = mad(s, r, 0x1.11111111100dcp-7); s = mad(s, r, 0x1.55555555520a4p-5);
    s = mad(s, r, 0x1.5555555555557p-3); s = mad(s, r, 0x1.0000000000005p-1);
    return mad(s, r, 1.0);
}

/* Of numbers up to 709, and of what is none. */
static inline double exp_down(double x) {
    double held = x < -708.0 ? -708.0 : x;
    double shifted = mad(held, 1.4426950408889634, ROUNDER), n = shifted - ROUNDER;
    double r = mad(n, -LN2_HIGH, held); r = mad(n, -LN2_LOW, r);
    double value = mad(r, series(r), 1.0) * of_bits((bits_of(shifted) + 1023) << 52);
    return x < -708.0 ? 0.0 : value;
}

static inline double exp_(double x) {
    double value = exp_down(x > 709.0 ? 709.0 : x);
    return x > 709.0 ? INFINITY : value;
}

/* Of normal positive numbers, infinity and what is no number. */
static inline double log_(double x) {
    uint64_t bits = bits_of(x), above = bits - 0x3fe6a09e667f3bcdULL + (1023ULL << 52);
    double k = of_bits((above >> 52) | 0x4330000000000000ULL) - 4503599627370496.0 - 1023.0;
    double f = of_bits(bits - ((above & 0xfff0000000000000ULL) - (1023ULL << 52))) - 1, s = f / (2 + f), z = s * s;
    /* (ln((1 + s)/(1 - s)) - 2 s)/s^3, likewise: to 5e-16, of which ln sees less than a fiftieth. */
    double sum = mad(0x1.2b5900de53b32p-3, z, 0x1.39fe51a7c18f9p-3);
    sum = mad(sum, z, 0x1.7462b51cb66b1p-3); sum = mad(sum, z, 0x1.c71c62e3f11e6p-3); sum = mad(sum, z, 0x1.2492492df281ap-2);
    sum = mad(sum, z, 0x1.99999999952d7p-2); sum = mad(sum, z, 0x1.5555555555558p-1);
    double value = mad(k, LN2_HIGH, f - mad(s, mad(-sum, z, f), -k * LN2_LOW));
    return x <= DBL_MAX ? value : x;
}

static inline double tanh_(double x) {
    double twice = x < 0 ? -2 * x : 2 * x;
    double held = twice > 44.0 ? 44.0 : twice;
    double shifted = mad(held, 1.4426950408889634, ROUNDER), n = shifted - ROUNDER;
    double r = mad(n, -LN2_HIGH, held); r = mad(n, -LN2_LOW, r);
    double scale = of_bits((bits_of(shifted) + 1023) << 52);
    double less = scale * (r * series(r)) + (scale - 1), value = less / (less + 2);
    return x < 0 ? -value : value;
}

static inline double at_least(double x, double floor) { return x < floor ? floor : x; }
static inline double at_most(double x, double ceiling) { return x > ceiling ? ceiling : x; }
static inline double held_off(double x, double floor) { return x >= 0 ? at_least(x, floor) : at_most(x, -floor); }

/* ---- noise: noise.standard_normal, bit by bit --------------------------------------------------------------------------- */

static inline void philox(const uint64_t key[2], uint64_t counter, uint64_t stretch, uint64_t out[4]) {
    uint64_t x0 = counter, x1 = 0, x2 = 0, x3 = stretch, k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        unsigned __int128 low = (unsigned __int128)x0 * 0xD2E7470EE14C6C93ULL;
        unsigned __int128 high = (unsigned __int128)x2 * 0xCA5A826395121157ULL;
        uint64_t y0 = (uint64_t)(high >> 64) ^ x1 ^ k0, y2 = (uint64_t)(low >> 64) ^ x3 ^ k1;
        x1 = (uint64_t)high; x3 = (uint64_t)low; x0 = y0; x2 = y2;
        k0 += 0x9E3779B97F4A7C15ULL; k1 += 0xBB67AE8584CAA73BULL;
    }
    out[0] = x0; out[1] = x1; out[2] = x2; out[3] = x3;
}

/* Coefficients of the normal quantile (S. L. Moshier, Cephes), which SciPy takes too: the centre, 2 < x < 8, and beyond. */
static const double P0[5] = {-5.99633501014107895267E1, 9.80010754185999661536E1, -5.66762857469070293439E1,
    1.39312609387279679503E1, -1.23916583867381258016E0};
static const double Q0[8] = {1.95448858338141759834E0, 4.67627912898881538453E0, 8.63602421390890590575E1,
    -2.25462687854119370527E2, 2.00260212380060660359E2, -8.20372256168333339912E1, 1.59056225126211695515E1,
    -1.18331621121330003142E0};
static const double P1[9] = {4.05544892305962419923E0, 3.15251094599893866154E1, 5.71628192246421288162E1,
    4.40805073893200834700E1, 1.46849561928858024014E1, 2.18663306850790267539E0, -1.40256079171354495875E-1,
    -3.50424626827848203418E-2, -8.57456785154685413611E-4};
static const double Q1[8] = {1.57799883256466749731E1, 4.53907635128879210584E1, 4.13172038254672030440E1,
    1.50425385692907503408E1, 2.50464946208309415979E0, -1.42182922854787788574E-1, -3.80806407691578277194E-2,
    -9.33259480895457427372E-4};
static const double P2[9] = {3.23774891776946035970E0, 6.91522889068984211695E0, 3.93881025292474443415E0,
    1.33303460815807542389E0, 2.01485389549179081538E-1, 1.23716634817820021358E-2, 3.01581553508235416007E-4,
    2.65806974686737550832E-6, 6.23974539184983293730E-9};
static const double Q2[8] = {6.02427039364742014255E0, 3.67983563856160859403E0, 1.37702099489081330271E0,
    2.16236993594496635890E-1, 1.34204006088543189037E-2, 3.28014464682127739104E-4, 2.89247864745380683936E-6,
    6.79019408009981274425E-9};

static inline double horner(double x, const double *c, int n, double sum) {
    for (int k = 0; k < n; k++) sum = sum * x + c[k];
    return sum;
}

static double in_tail(double share) {
    double y = share > 0.5 ? 1.0 - share : share, x = sqrt(-2.0 * log(y)), outer = x - log(x) / x, z = 1.0 / x;
    double inner = x < 8.0 ? z * horner(z, P1 + 1, 8, P1[0]) / horner(z, Q1, 8, 1.0)
                           : z * horner(z, P2 + 1, 8, P2[0]) / horner(z, Q2, 8, 1.0);
    double found = outer - inner;
    return share > 0.5 ? found : -found;
}

/* Numbers `first` .. `first` + BUFFER of each of `count` streams, at most STREAMS; `first` is a multiple of 4. */
static void normals(uint64_t seed, uint64_t sample, uint64_t stretch, const int64_t *streams, int64_t count, int64_t first, double *restrict out) {
    uint64_t raw[STREAMS * BUFFER];
    double share[STREAMS * BUFFER], near[STREAMS * BUFFER], far[STREAMS * BUFFER], doubt[STREAMS * BUFFER];
    int64_t tail[STREAMS * BUFFER], where[STREAMS * BUFFER], n = count * BUFFER, tails = 0;
    const double edge = 0.13533528323661269189;
    for (int64_t s = 0; s < count; s++) {
        const uint64_t key[2] = {seed, sample | (uint64_t)streams[s]};
        for (int64_t k = 0; k < BUFFER; k += 4) philox(key, (uint64_t)(first + k) / 4 + 1, stretch, raw + s * BUFFER + k);
    }
    for (int64_t k = 0; k < n; k++) {
        double own = ((of_bits((raw[k] >> 12) | 0x4330000000000000ULL) - 4503599627370496.0) + 0.5) * 0x1p-52;
        double y = own - 0.5, z = y * y;
        share[k] = own;
        near[k] = own > 0.5 ? 1.0 - own : own;
        tail[k] = (own <= edge) | (own > 1.0 - edge);
        out[k] = (y + y * (z * horner(z, P0 + 1, 4, P0[0]) / horner(z, Q0, 8, 1.0))) * 2.50662827463100050242E0;
    }
    /* In the tails SciPy takes the C library's logarithm. Ours is off by some of its last bits: where that could decide how
       a number is rounded, or far out, the number is found as SciPy does. */
    for (int64_t k = 0; k < n; k++) {
        where[tails] = k;
        tails += tail[k];
    }
    for (int64_t k = 0; k < tails; k++) far[k] = near[where[k]];
    int64_t whole = tails;
    for (; whole % 8; whole++) far[whole] = edge; /* whole vectors, which n is too */
    for (int64_t k = 0; k < whole; k++) {
        double x = sqrt(-2.0 * log_(far[k])), z = 1.0 / x;
        double found = (x - log_(x) / x) - z * horner(z, P1 + 1, 8, P1[0]) / horner(z, Q1, 8, 1.0);
        double grid = found * 1048576.0, beside = fabs(grid - ((grid + ROUNDER) - ROUNDER));
        far[k] = found;
        doubt[k] = ((beside > 0.499) | (x > 7.9)) ? 1.0 : 0.0;
    }
    for (int64_t k = 0; k < tails; k++) {
        double own = share[where[k]];
        out[where[k]] = doubt[k] > 0 ? in_tail(own) : copysign(far[k], own - 0.5);
    }
    for (int64_t k = 0; k < n; k++) out[k] = ((out[k] * 1048576.0 + ROUNDER) - ROUNDER) / 1048576.0;
}

void analogflow_normals(uint64_t seed, uint64_t stream, int64_t count, double *out) {
    const int64_t own = (int64_t)stream;
    for (int64_t k = 0; k < count; k += BUFFER) normals(seed, 0, 0, &own, 1, k, out + k);
}

/* ---- the program -------------------------------------------------------------------------------------------------------- */

/* Ends the turn of a loop that is too short to be worth vectors. */
#define ONE_BY_ONE __asm__ volatile("")

#define FEW 8

/* Element i of an operand of one element is that element; two full operands are one long loop. */
#define PAIRS(BODY)                                                                                                           \
    do {                                                                                                                      \
        if (L == 1 && o->size < FEW) {                                                                                        \
            int64_t ea = o->a_size != 1, eb = o->b_size != 1;                                                                 \
            for (int64_t i = 0; i < o->size; i++) {                                                                           \
                const double *A = a + i * ea, *B = b + i * eb;                                                                \
                double *Y = y + i;                                                                                            \
                const int64_t l = 0;                                                                                          \
                BODY;                                                                                                         \
                ONE_BY_ONE;                                                                                                   \
            }                                                                                                                 \
            break;                                                                                                            \
        }                                                                                                                     \
        int64_t full = o->a_size == o->size && o->b_size == o->size, turns = full ? 1 : o->size, n = full ? o->size * L : L;  \
        int64_t ea = o->a_size == 1 ? 0 : L, eb = o->b_size == 1 ? 0 : L;                                                     \
        for (int64_t i = 0; i < turns; i++) {                                                                                 \
            const double *restrict A = a + i * ea, *restrict B = b + i * eb;                                                  \
            double *restrict Y = y + i * L;                                                                                   \
            LANES(l, n) { BODY; }                                                                         \
        }                                                                                                                     \
    } while (0)

#define ALONE(BODY)                                                                                                           \
    do {                                                                                                                      \
        if (L == 1 && o->size < FEW) {                                                                                        \
            int64_t ea = o->a_size != 1;                                                                                      \
            for (int64_t i = 0; i < o->size; i++) {                                                                           \
                const double *A = a + i * ea;                                                                                 \
                double *Y = y + i;                                                                                            \
                const int64_t l = 0;                                                                                          \
                BODY;                                                                                                         \
                ONE_BY_ONE;                                                                                                   \
            }                                                                                                                 \
            break;                                                                                                            \
        }                                                                                                                     \
        int64_t full = o->a_size == o->size, turns = full ? 1 : o->size, n = full ? o->size * L : L;                          \
        for (int64_t i = 0; i < turns; i++) {                                                                                 \
            const double *restrict A = a;                                                                                     \
            double *restrict Y = y + i * L;                                                                                   \
            LANES(l, n) { BODY; }                                                                         \
        }                                                                                                                     \
    } while (0)

/* `count` rows of Y = W X, or of what is added to it: `columns` of W at once. Sums run over the columns in their order. */
static inline __attribute__((always_inline)) void tile(const double *restrict w, const double *restrict X, double *restrict Y,
                                                       int64_t out, int64_t L, int count, int columns, int begins) {
    LANES(l, L)
        for (int i = 0; i < count; i++) {
            double sum = begins ? w[i] * X[l] : mad(w[i], X[l], Y[i * L + l]);
            for (int j = 1; j < columns; j++) sum = mad(w[j * out + i], X[j * L + l], sum);
            Y[i * L + l] = sum;
        }
}

static inline __attribute__((always_inline)) void strip(const double *restrict w, const double *restrict X, double *restrict Y,
                                                        int64_t out, int64_t in, int64_t L, int count) {
    switch (in % 4) {
    case 1: tile(w, X, Y, out, L, count, 1, 1); break;
    case 2: tile(w, X, Y, out, L, count, 2, 1); break;
    case 3: tile(w, X, Y, out, L, count, 3, 1); break;
    default: tile(w, X, Y, out, L, count, 4, 1);
    }
    for (int64_t j = in % 4 ? in % 4 : 4; j < in; j += 4) tile(w + j * out, X + j * L, Y, out, L, count, 4, 0);
}

/* Y = W X for each group, W column by column. */
static inline __attribute__((always_inline)) void product(const double *restrict w, const double *restrict x, double *restrict y, int64_t rows, int64_t out,
                    int64_t in, int64_t L) {
    for (int64_t r = 0; r < rows; r++) {
        const double *restrict X = x + r * in * L;
        double *restrict Y = y + r * out * L;
        if (L == 1 && out < FEW) {
            for (int64_t i = 0; i < out; i++) {
                double sum = w[i] * X[0];
                for (int64_t j = 1; j < in; j++) { sum = mad(w[j * out + i], X[j], sum); ONE_BY_ONE; }
                Y[i] = sum;
            }
            continue;
        }
        if (L == 1) {
            for (int64_t i = 0; i < out; i++) Y[i] = w[i] * X[0];
            for (int64_t j = 1; j < in; j++)
                for (int64_t i = 0; i < out; i++) Y[i] = mad(w[j * out + i], X[j], Y[i]);
            continue;
        }
        int64_t i = 0;
        for (; i + 4 <= out; i += 4) strip(w + i, X, Y + i * L, out, in, L, 4);
        switch (out - i) {
        case 1: strip(w + i, X, Y + i * L, out, in, L, 1); break;
        case 2: strip(w + i, X, Y + i * L, out, in, L, 2); break;
        case 3: strip(w + i, X, Y + i * L, out, in, L, 3); break;
        }
    }
}

static inline __attribute__((always_inline)) void lane_product(const double *restrict w, const double *restrict x, double *restrict y, int64_t rows, int64_t out,
                         int64_t in, int64_t L) {
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < out; i++) {
            double *restrict yi = y + (r * out + i) * L;
            const double *restrict wi = w + (r * out + i) * in * L, *restrict X = x + r * in * L;
            LANES(l, L) yi[l] = wi[l] * X[l];
            for (int64_t j = 1; j < in; j++)
                LANES(l, L) yi[l] = mad(wi[j * L + l], X[j * L + l], yi[l]);
        }
}

static inline __attribute__((always_inline)) void softmax(const Op *o, const double *restrict x, double *restrict y, const double *restrict tail, int64_t L,
                    double *restrict top, double *restrict sum) {
    int64_t width = o->size / o->rows;
    for (int64_t r = 0; r < o->rows; r++) {
        const double *restrict X = x + r * width * L;
        double *restrict Y = y + r * width * L;
        if (L == 1) {
            double most = X[0], all = 0;
            for (int64_t k = 1; k < width; k++) { most = X[k] > most ? X[k] : most; ONE_BY_ONE; }
            if (width < FEW)
                for (int64_t k = 0; k < width; k++) { Y[k] = exp_down(X[k] - most); ONE_BY_ONE; }
            else
                for (int64_t k = 0; k < width; k++) Y[k] = exp_down(X[k] - most);
            for (int64_t k = 0; k < width; k++) { all = all + Y[k]; ONE_BY_ONE; }
            all = (tail ? tail[r] : 1.0) / all;
            for (int64_t k = 0; k < width; k++) { Y[k] = Y[k] * all; ONE_BY_ONE; }
            continue;
        }
        LANES(l, L) { top[l] = X[l]; sum[l] = 0; }
        for (int64_t k = 1; k < width; k++)
            LANES(l, L) top[l] = X[k * L + l] > top[l] ? X[k * L + l] : top[l];
        for (int64_t k = 0; k < width; k++)
            LANES(l, L) {
                double own = Y[k * L + l] = exp_down(X[k * L + l] - top[l]);
                sum[l] = sum[l] + own;
            }
        LANES(l, L) sum[l] = (tail ? tail[r * L + l] : 1.0) / sum[l];
        for (int64_t k = 0; k < width; k++)
            LANES(l, L) Y[k * L + l] = Y[k * L + l] * sum[l];
    }
}

static inline __attribute__((always_inline)) void normaliser(const Op *o, const double *restrict x, double *restrict y, int64_t L, double *restrict room) {
    int64_t width = o->size / o->rows;
    for (int64_t r = 0; r < o->rows; r++) {
        const double *X = x + r * width * L;
        double *Y = y + r * width * L;
        LANES(n, width * L) Y[n] = at_least(X[n], 0.0);
        LANES(l, L) room[l] = Y[l];
        for (int64_t k = 1; k < width; k++)
            LANES(l, L) room[l] = room[l] + Y[k * L + l];
        LANES(l, L) room[l] = 1 / at_least(room[l], o->c);
        for (int64_t k = 0; k < width; k++)
            LANES(l, L) Y[k * L + l] = Y[k * L + l] * room[l];
    }
}

static void matrix_product(const Op *o, const double *restrict a, const double *restrict b, double *restrict y, int64_t L,
                           int add) {
    for (int64_t i = 0; i < o->rows; i++)
        for (int64_t j = 0; j < o->columns; j++) {
            double *restrict Y = y + (i * o->columns + j) * L;
            for (int64_t k = 0; k < o->inner; k++) {
                const double *restrict A = a + (i * o->inner + k) * L, *restrict B = b + (k * o->columns + j) * L;
                if (k || add)
                    LANES(l, L) Y[l] = mad(A[l], B[l], Y[l]);
                else
                    LANES(l, L) Y[l] = A[l] * B[l];
            }
        }
}

/* The line of a waveform that an argument is on: points are times, then values, then the slopes between them. */
static inline int64_t line_of(const double *points, int64_t count, double held, double near) {
    int64_t low = 0, high = count;
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (points[middle] <= held + near) low = middle + 1;
        else high = middle;
    }
    return low < 1 ? 0 : low > count - 1 ? count - 2 : low - 1;
}

static void waveform(const Op *o, const double *points, const double *x, double *y, int64_t L) {
    const double *times = points, *values = times + o->inner, *slopes = values + o->inner;
    for (int64_t n = 0; n < o->size * L; n++) {
        double held = at_most(at_least(x[o->a_size == 1 ? n % L : n], times[0]), times[o->inner - 1]);
        int64_t line = line_of(times, o->inner, held, o->c);
        y[n] = values[line] + (held - times[line]) * slopes[line];
    }
}

static void waveform_tangent(const Op *o, const double *points, const double *x, const double *dx, double *dy, int64_t L) {
    const double *times = points, *slopes = times + 2 * o->inner;
    for (int64_t n = 0; n < o->size * L; n++) {
        int64_t from = o->a_size == 1 ? n % L : n;
        double held = at_most(at_least(x[from], times[0]), times[o->inner - 1]);
        dy[n] = held == x[from] ? slopes[line_of(times, o->inner, held, o->c)] * dx[from] : 0.0;
    }
}

static inline __attribute__((always_inline)) void signals(const Walk *w, int64_t L) {
    const Task *t = &w->t;
    for (int64_t number = 0; number < t->ops; number++) {
        const Op *o = t->program + number;
        double *y = w->slots + o->out * L;
        const double *a = w->slots + o->a * L, *b = w->slots + (o->b < 0 ? 0 : o->b) * L, c = o->c, d = o->d;
        switch (o->code) {
        case CROSSBAR: product(t->weights + o->table, a, y, o->rows, o->inner, o->columns, L); break;
        case LANE_CROSSBAR: lane_product(b, a, y, o->rows, o->inner, o->columns, L); break;
        case SUM_FIRST: ALONE(Y[l] = c * A[l]); break;
        case SUM_NEXT: PAIRS(Y[l] = mad(c, B[l], A[l])); break;
        case SUM_PAIR: PAIRS(Y[l] = mad(c, A[l], d * B[l])); break;
        case WIRE:
            for (int64_t i = 0; i < o->size; i++) memcpy(y + i * L, a + t->tables[o->table + i] * L, sizeof(double) * L);
            break;
        case MULTIPLIER: PAIRS(Y[l] = A[l] * B[l]); break;
        case DIVIDER: PAIRS(Y[l] = A[l] / held_off(B[l], c)); break;
        case LOG: ALONE(Y[l] = log_(at_least(A[l], c))); break;
        case EXP: ALONE(Y[l] = exp_(at_most(A[l], c))); break;
        case SQUARE_ROOT: ALONE(Y[l] = sqrt(at_least(A[l], c))); break;
        case POSITIVE_PART: ALONE(Y[l] = at_least(A[l], 0.0)); break;
        case TANH: ALONE(Y[l] = tanh_(A[l])); break;
        case SINE: ALONE(Y[l] = sin(A[l])); break;
        case COMPARATOR: PAIRS(Y[l] = 0.5 * (1 + tanh_((A[l] - B[l]) / c))); break;
        case SWITCH: PAIRS(Y[l] = A[l] * at_most(at_least(B[l], 0.0), 1.0)); break;
        case SOFTMAX: softmax(o, a, y, o->b >= 0 ? b : NULL, L, w->room, w->room + L); break;
        case NORMALISER: normaliser(o, a, y, L, w->room); break;
        case MATRIX_PRODUCT: matrix_product(o, a, b, y, L, 0); break;
        case SHIFT: PAIRS(Y[l] = A[l] + B[l]); break;
        case CLIP: ALONE(Y[l] = at_most(at_least(A[l], -c), c)); break;
        case SCALE: ALONE(Y[l] = A[l] / c * d); break;
        case WAVEFORM: waveform(o, t->weights + o->table, a, y, L); break;
        case ARCTAN: ALONE(Y[l] = atan(A[l])); break;
        }
    }
}

static void evaluate(const Walk *w) {
    /* Lanes are one or some times eight: a compiler that sees which leaves out the rests of loops. */
    if (w->t.lanes == 1) signals(w, 1);
    else signals(w, (int64_t)((uint64_t)w->t.lanes >> 3 << 3));
}

/* Rates, (size, lanes), of states that stand in the slots, as their noise does. */
static void rates(const Walk *w, double *rate) {
    const Task *t = &w->t;
    const int64_t L = t->lanes;
    evaluate(w);
    for (int64_t k = 0; k < t->parts; k++) {
        const Part *part = t->integrators + k;
        for (int64_t i = 0; i < part->size; i++) {
            const double *restrict x = w->slots + (part->rate + (part->rate_size == 1 ? 0 : i)) * L;
            const double *restrict y = w->slots + (part->start + i) * L;
            double *restrict out = rate + (part->start + i) * L;
            if (part->gain < 0)
                memcpy(out, x, sizeof(double) * L);
            else {
                const double *restrict gain = w->slots + (part->gain + i) * L;
                LANES(l, L) out[l] = gain[l] * x[l];
            }
            if (part->leak >= 0) {
                const double *restrict leak = w->slots + (part->leak + i) * L;
                LANES(l, L) out[l] = out[l] - leak[l] * y[l];
            }
            if (part->limit < INFINITY)
                LANES(l, L)
                    out[l] = out[l] - t->clamp * (y[l] - at_most(at_least(y[l], -part->limit), part->limit));
        }
    }
}

/* Tangents of all slots, from those of states and sources, at the signals of the last evaluation. */
static void propagate(const Walk *w) {
    const Task *t = &w->t;
    const int64_t L = t->lanes;
#define BINARY(BODY)                                                                                                          \
    do {                                                                                                                      \
        for (int64_t i = 0; i < o->size; i++) {                                                                               \
            int64_t ia = o->a_size == 1 ? 0 : i * L, ib = o->b_size == 1 ? 0 : i * L;                                         \
            const double *A = a + ia, *B = b + ib, *dA = da + ia, *dB = db + ib, *Y = y + i * L;                              \
            double *dY = dy + i * L;                                                                                          \
            LANES(l, L) { BODY; }                                                                         \
            (void)A, (void)B, (void)Y;                                                                                        \
        }                                                                                                                     \
    } while (0)
#define UNARY(BODY)                                                                                                           \
    do {                                                                                                                      \
        for (int64_t i = 0; i < o->size; i++) {                                                                               \
            int64_t ia = o->a_size == 1 ? 0 : i * L;                                                                          \
            const double *A = a + ia, *dA = da + ia, *Y = y + i * L;                                                          \
            double *dY = dy + i * L;                                                                                          \
            LANES(l, L) { BODY; }                                                                         \
            (void)A, (void)Y;                                                                                                 \
        }                                                                                                                     \
    } while (0)
    for (int64_t number = 0; number < t->ops; number++) {
        const Op *o = t->program + number;
        const int64_t second = o->b < 0 ? 0 : o->b; /* which nothing reads where there is none */
        const double *y = w->slots + o->out * L, *a = w->slots + o->a * L, *b = w->slots + second * L, c = o->c, d = o->d;
        const double *da = w->tangents + o->a * L, *db = w->tangents + second * L;
        double *dy = w->tangents + o->out * L;
        int64_t width = o->rows ? o->size / o->rows : 0;
        switch (o->code) {
        case CROSSBAR: product(t->weights + o->table, da, dy, o->rows, o->inner, o->columns, L); break;
        case LANE_CROSSBAR: lane_product(b, da, dy, o->rows, o->inner, o->columns, L); break;
        case SUM_FIRST: UNARY(dY[l] = c * dA[l]); break;
        case SUM_NEXT: BINARY(dY[l] = dA[l] + c * dB[l]); break;
        case SUM_PAIR: BINARY(dY[l] = c * dA[l] + d * dB[l]); break;
        case WIRE:
            for (int64_t i = 0; i < o->size; i++) memcpy(dy + i * L, da + t->tables[o->table + i] * L, sizeof(double) * L);
            break;
        case MULTIPLIER: BINARY(dY[l] = B[l] * dA[l] + A[l] * dB[l]); break;
        case DIVIDER:
            BINARY(double held = held_off(B[l], c);
                   dY[l] = dA[l] / held + (held == B[l] ? -A[l] / (held * held) : 0.0) * dB[l]);
            break;
        case LOG: UNARY(dY[l] = (A[l] > c ? 1 / A[l] : 0.0) * dA[l]); break;
        case EXP: UNARY(dY[l] = (A[l] < c ? Y[l] : 0.0) * dA[l]); break;
        case SQUARE_ROOT: UNARY(dY[l] = (A[l] > c && Y[l] > 0 ? 0.5 / Y[l] : 0.0) * dA[l]); break;
        case POSITIVE_PART: UNARY(dY[l] = (A[l] > 0 ? 1.0 : 0.0) * dA[l]); break;
        case TANH: UNARY(dY[l] = (1 - Y[l] * Y[l]) * dA[l]); break;
        case SINE: UNARY(dY[l] = cos(A[l]) * dA[l]); break;
        case COMPARATOR:
            BINARY(double z = 2 * Y[l] - 1; dY[l] = 0.5 / c * (1 - z * z) * (dA[l] - dB[l]));
            break;
        case SWITCH:
            BINARY(dY[l] = at_most(at_least(B[l], 0.0), 1.0) * dA[l] + (B[l] > 0 && B[l] < 1 ? A[l] : 0.0) * dB[l]);
            break;
        case SOFTMAX:
        case NORMALISER:
            for (int64_t r = 0; r < o->rows; r++)
                LANES(l, L) {
                    double dot = 0, total = 0;
                    for (int64_t k = r * width; k < (r + 1) * width; k++) {
                        total += at_least(a[k * L + l], 0.0);
                        dot += (o->code == SOFTMAX ? y[k * L + l] : a[k * L + l] > 0 ? 1.0 : 0.0) * da[k * L + l];
                    }
                    double held = at_least(total, c), tail = o->b >= 0 ? b[r * L + l] : 1.0;
                    for (int64_t k = r * width; k < (r + 1) * width; k++) {
                        double own = y[k * L + l], share = (a[k * L + l] > 0 ? 1.0 : 0.0) / held;
                        dy[k * L + l] = o->code == SOFTMAX
                                            ? own * da[k * L + l] - own / tail * dot
                                            : share * da[k * L + l] - (total > c ? own : 0.0) * (dot / held);
                    }
                }
            break;
        case MATRIX_PRODUCT:
            matrix_product(o, a, db, dy, L, 0);
            matrix_product(o, da, b, dy, L, 1);
            break;
        case SHIFT: BINARY(dY[l] = dA[l] + dB[l]); break;
        case CLIP: UNARY(dY[l] = (fabs(A[l]) < c ? 1.0 : 0.0) * dA[l]); break;
        case SCALE: UNARY(dY[l] = dA[l] / c * d); break;
        case WAVEFORM: waveform_tangent(o, t->weights + o->table, a, da, dy, L); break;
        case ARCTAN: UNARY(dY[l] = dA[l] / (1 + A[l] * A[l])); break;
        }
    }
}

/* Tangent of rate i of a lane, but for what the integrator itself does. */
static void rate_tangents(const Walk *w, double *out) {
    const Task *t = &w->t;
    const int64_t L = t->lanes;
    for (int64_t k = 0; k < t->parts; k++) {
        const Part *part = t->integrators + k;
        for (int64_t i = 0; i < part->size; i++)
            LANES(l, L)
                out[(part->start + i) * L + l] = (part->gain < 0 ? 1.0 : w->slots[(part->gain + i) * L + l]) *
                                                 w->tangents[(part->rate + (part->rate_size == 1 ? 0 : i)) * L + l];
    }
}

/* ---- one step of all lanes ---------------------------------------------------------------------------------------------- */

static void place(const Walk *w, const double *state, double part) {
    const Task *t = &w->t;
    const int64_t L = t->lanes;
    if (state != w->slots) memcpy(w->slots, state, sizeof(double) * t->size * L);
    const double *restrict before = w->before, *restrict slope = w->slope;
    double *restrict noise = w->slots + t->size * L;
    LANES(n, t->sources * L) noise[n] = before[n] + part * slope[n];
}

static inline __attribute__((always_inline)) void mixed(const Walk *w, double *out, const double *y, const double *weight,
                                                        int count) {
    const int64_t L = w->t.lanes, n = w->t.size * L;
    for (int64_t i = 0; i < w->t.size; i++) {
        const double *restrict k0 = w->rate + i * L, *restrict k = w->stages + i * L;
        const double *restrict base = y ? y + i * L : NULL, *restrict h = w->step;
        double *restrict o = out + i * L;
        LANES(l, L) {
            double sum = weight[0] * k0[l];
            for (int s = 1; s < count; s++) sum = mad(weight[s], k[(s - 1) * n + l], sum);
            o[l] = y ? mad(h[l], sum, base[l]) : h[l] * sum;
        }
    }
}

/* The next time that a lane's step does not go over. */
static void look_ahead(Walk *w, int64_t l) {
    const Task *t = &w->t;
    while (w->broken[l] < t->breaks && t->breaking[w->broken[l]] <= w->time[l]) w->broken[l]++;
    w->ahead[l] = w->broken[l] < t->breaks ? t->breaking[w->broken[l]] : INFINITY;
}

/* Noise at the beginning of each lane's step, and its change over it. */
static void sound(Walk *w) {
    const Task *t = &w->t;
    const int64_t L = t->lanes;
    const double *restrict time = w->time, *restrict step = w->step, *restrict segment = w->segment;
    double *restrict position = w->position, *restrict part = w->part;
    LANES(l, L) {
        position[l] = time[l] / t->noise_step - segment[l];
        part[l] = step[l] / t->noise_step;
    }
    for (int64_t i = 0; i < t->sources; i++) {
        const double *restrict from = w->from + i * L, *restrict change = w->change + i * L;
        double *restrict before = w->before + i * L, *restrict slope = w->slope + i * L;
        LANES(l, L) {
            before[l] = from[l] + position[l] * change[l];
            slope[l] = change[l] * part[l];
        }
    }
}

/* Error of each lane's step over what is allowed, infinite where a number is none, and what the next step may be longer. */
static void judge(Walk *w) {
    const Task *t = &w->t;
    const int64_t L = t->lanes;
    double *restrict norm = w->norm, *restrict size = w->size, *restrict growth = w->growth;
    const double *restrict sharpness = w->sharpness;
    const double share = 1.0 / t->size, absolute = t->absolute, relative = t->relative, power = -1.0 / t->order;
    LANES(l, L) norm[l] = size[l] = 0;
    for (int64_t i = 0; i < t->size; i++) {
        const double *restrict y = w->y + i * L, *restrict trial = w->trial + i * L, *restrict error = w->error + i * L;
        LANES(l, L) {
            double from = fabs(y[l]), to = fabs(trial[l]);
            double off = error[l] / (sharpness[l] * (absolute + relative * (to > from ? to : from)));
            norm[l] = norm[l] + off * off * share;
            size[l] = to > size[l] ? to : size[l];
            norm[l] = norm[l] + 0.0 * to; /* no number where the state is none */
        }
    }
    LANES(l, L) {
        double root = sqrt(norm[l]);
        norm[l] = root <= DBL_MAX ? size[l] <= DBL_MAX ? root : INFINITY : INFINITY;
    }
    const double safety = t->safety, least = t->least_growth, most = t->most_growth;
    LANES(l, L)
        growth[l] = at_most(at_least(safety * exp_(power * log_(at_least(norm[l], 1e-12))), least), most);
}

static void explicit_step(Walk *w) {
    const Task *t = &w->t;
    const int64_t n = t->size * t->lanes;
    const double *A = t->a;
    double *k = w->stages;
    mixed(w, w->slots, w->y, A + 5, 1); place(w, w->slots, t->c[1]); rates(w, k);
    mixed(w, w->slots, w->y, A + 10, 2); place(w, w->slots, t->c[2]); rates(w, k + n);
    mixed(w, w->slots, w->y, A + 15, 3); place(w, w->slots, t->c[3]); rates(w, k + 2 * n);
    mixed(w, w->slots, w->y, A + 20, 4); place(w, w->slots, t->c[4]); rates(w, k + 3 * n);
    mixed(w, w->slots, w->y, A + 25, 5); place(w, w->slots, t->c[5]); rates(w, k + 4 * n);
    mixed(w, w->trial, w->y, t->b, 6); place(w, w->trial, 1.0); rates(w, k + 5 * n);
    mixed(w, w->error, NULL, t->e, 7);
}

static void factorise(double *m, int64_t *pivot, int64_t n) {
    for (int64_t k = 0; k < n; k++) {
        int64_t best = k;
        for (int64_t i = k + 1; i < n; i++) best = fabs(m[i * n + k]) > fabs(m[best * n + k]) ? i : best;
        pivot[k] = best;
        if (best != k)
            for (int64_t j = 0; j < n; j++) { double x = m[k * n + j]; m[k * n + j] = m[best * n + j]; m[best * n + j] = x; }
        for (int64_t i = k + 1; i < n; i++) {
            double f = m[i * n + k] = m[i * n + k] / m[k * n + k];
            for (int64_t j = k + 1; j < n; j++) m[i * n + j] = m[i * n + j] - f * m[k * n + j];
        }
    }
}

static void solve(const double *m, const int64_t *pivot, double *x, int64_t n) {
    for (int64_t k = 0; k < n; k++) { double v = x[k]; x[k] = x[pivot[k]]; x[pivot[k]] = v; }
    for (int64_t i = 1; i < n; i++)
        for (int64_t j = 0; j < i; j++) x[i] = x[i] - m[i * n + j] * x[j];
    for (int64_t i = n - 1; i >= 0; i--) {
        for (int64_t j = i + 1; j < n; j++) x[i] = x[i] - m[i * n + j] * x[j];
        x[i] = x[i] / m[i * n + i];
    }
}

static void implicit_step(Walk *w) {
    const Task *t = &w->t;
    const int64_t L = t->lanes, size = t->size, n = size * L;
    place(w, w->y, 0.0);
    evaluate(w);
    memset(w->tangents, 0, sizeof(double) * t->slots * L);
    memcpy(w->tangents + n, w->slope, sizeof(double) * t->sources * L);
    propagate(w);
    rate_tangents(w, w->moved);
    memset(w->tangents + n, 0, sizeof(double) * t->sources * L);
    for (int64_t j = 0; j < size; j++) {
        for (int64_t l = 0; l < L; l++) w->tangents[j * L + l] = 1.0;
        propagate(w);
        rate_tangents(w, w->error);
        for (int64_t l = 0; l < L; l++) w->tangents[j * L + l] = 0.0;
        for (int64_t l = 0; l < L; l++)
            for (int64_t i = 0; i < size; i++) w->matrix[(l * size + i) * size + j] = -w->error[i * L + l];
    }
    for (int64_t k = 0; k < t->parts; k++) {
        const Part *part = t->integrators + k;
        for (int64_t i = part->start; i < part->start + part->size; i++)
            for (int64_t l = 0; l < L; l++) {
                double damping = (fabs(w->y[i * L + l]) > part->limit ? t->clamp : 0.0) +
                                 (part->leak >= 0 ? w->slots[(part->leak + i - part->start) * L + l] : 0.0);
                w->matrix[(l * size + i) * size + i] += damping + 1 / (t->gamma * (w->step[l] > 0 ? w->step[l] : 1.0));
            }
    }
    for (int64_t l = 0; l < L; l++) factorise(w->matrix + l * size * size, w->pivot + l * size, size);
    memcpy(w->inner, w->y, sizeof(double) * n);
    for (int64_t s = 0; s < 6; s++) {
        double *known = w->error, *u = w->stages + s * n;
        if (s == 5)
            for (int64_t m = 0; m < n; m++) w->inner[m] = w->inner[m] + w->stages[4 * n + m];
        else if (s)
            for (int64_t m = 0; m < n; m++) {
                double sum = t->ra[s * 5] * w->stages[m];
                for (int64_t q = 1; q < s; q++) sum = sum + t->ra[s * 5 + q] * w->stages[q * n + m];
                w->inner[m] = w->y[m] + sum;
            }
        if (s) { place(w, w->inner, t->rtime[s]); rates(w, known); }
        else memcpy(known, w->rate, sizeof(double) * n);
        for (int64_t i = 0; i < size; i++)
            for (int64_t l = 0; l < L; l++) {
                int64_t m = i * L + l;
                double sum = 0, step = w->step[l] > 0 ? w->step[l] : 1.0;
                for (int64_t q = 0; q < s; q++) sum = sum + t->rc[s * 5 + q] * w->stages[q * n + m];
                known[m] = known[m] + t->rdrift[s] * w->moved[m] + sum / step;
            }
        for (int64_t l = 0; l < L; l++) {
            for (int64_t i = 0; i < size; i++) w->vector[i] = known[i * L + l];
            solve(w->matrix + l * size * size, w->pivot + l * size, w->vector, size);
            for (int64_t i = 0; i < size; i++) u[i * L + l] = w->step[l] > 0 ? w->vector[i] : 0.0;
        }
    }
    for (int64_t m = 0; m < n; m++) w->trial[m] = w->inner[m] + w->stages[5 * n + m];
    place(w, w->trial, 1.0);
    rates(w, w->stages + 6 * n);
    memcpy(w->error, w->stages + 5 * n, sizeof(double) * n);
}

/* ---- samples in and out of lanes ---------------------------------------------------------------------------------------- */

/* Knots `first` .. `first` + BUFFER of a lane's sources. */
static void draw(Walk *w, int64_t lane, int64_t first) {
    const Task *t = &w->t;
    if (t->plays) {
        int64_t knots = t->last_segment + 2;
        const double *own = t->played + w->sample[lane] * knots * t->sources;
        for (int64_t k = 0; k < BUFFER && first + k < knots; k++)
            for (int64_t i = 0; i < t->sources; i++)
                w->knots[(i * BUFFER + k) * t->lanes + lane] = own[(first + k) * t->sources + i];
        return;
    }
    double drawn[STREAMS * BUFFER];
    uint64_t whose = (uint64_t)t->numbers[w->sample[lane]], chain = whose >> 39;
    uint64_t sample = (whose & ((1ULL << 39) - 1)) << 24 | (chain & 1) << 22;
    for (int64_t i = 0; i < t->sources; i += STREAMS) {
        int64_t count = t->sources - i < STREAMS ? t->sources - i : STREAMS;
        normals(t->seed, sample, chain >> 1, t->streams + i, count, first, drawn);
        for (int64_t s = 0; s < count; s++)
            for (int64_t k = 0; k < BUFFER; k++)
                w->knots[((i + s) * BUFFER + k) * t->lanes + lane] = drawn[s * BUFFER + k] * t->density[i + s];
    }
}

/* What the speed at rest is relative to, as rest.rest_size says, in the units of the graph. */
static double rest_size(const Task *t, double largest) {
    if (t->fixed_size > 0) return t->fixed_size * t->unit;
    double size = largest / t->unit;
    return (size > 0 && size < INFINITY && (size < t->low || size > t->high) ? size : 1.0) * t->unit;
}

/* As integration._Walk._sharpen does. */
static void sharpen(Walk *w, int64_t l, double moved, double size) {
    const Task *t = &w->t;
    double relative = w->sharpness[l] * t->relative, far = 0, speed = moved / w->step[l];
    for (int64_t i = 0; i < t->size; i++) {
        double y = fabs(w->y[i * t->lanes + l]);
        far = y > far ? y : far;
    }
    int trembles = moved <= t->jitter * relative * far && relative > t->sharpest;
    w->waited[l] = trembles && speed >= w->slowest[l] ? w->waited[l] + 1 : 0;
    w->slowest[l] = speed < w->slowest[l] ? speed : w->slowest[l];
    if (trembles && (w->sharpness[l] * w->largest[l] > size || w->waited[l] >= t->patience)) {
        w->sharpness[l] = 0.1 * w->sharpness[l];
        w->waited[l] = 0;
    }
}

/* Saved times up to where a lane came, from the state before to its trial state; at a run's start these are one. */
static void keep(Walk *w, int64_t l, double reached, int begins) {
    const Task *t = &w->t;
    const int64_t L = t->lanes, n = t->size * L, s = w->sample[l];
    for (; w->saved[l] < t->saves && t->save[w->saved[l]] <= reached; w->saved[l]++) {
        double at = t->save[w->saved[l]], length = reached - w->time[l], theta = (at - w->time[l]) / (length > 0 ? length : 1);
        double *out = t->states + (s * t->saves + w->saved[l]) * t->size, weight[7];
        const double *end = begins ? w->y : w->trial;
        if (at != reached && !t->implicit)
            for (int k = 0; k < 7; k++)
                weight[k] = theta * (t->p[4 * k] + theta * (t->p[4 * k + 1] + theta * (t->p[4 * k + 2] + theta * t->p[4 * k + 3])));
        for (int64_t i = 0; i < t->size; i++) {
            int64_t m = i * L + l;
            if (at == reached)
                out[i] = end[m];
            else if (t->implicit) {
                double jump = end[m] - w->y[m];
                double bend = (1 - 2 * theta) * jump + (theta - 1) * w->step[l] * w->rate[m] +
                              theta * w->step[l] * w->stages[6 * n + m];
                out[i] = w->y[m] + theta * jump + theta * (theta - 1) * bend;
            } else {
                double sum = weight[0] * w->rate[m];
                for (int k = 1; k < 7; k++) sum = sum + weight[k] * w->stages[(k - 1) * n + m];
                out[i] = w->y[m] + w->step[l] * sum;
            }
        }
        for (int64_t i = 0; i < t->sources; i++)
            t->noise[(s * t->saves + w->saved[l]) * t->sources + i] =
                w->from[i * L + l] + (at / t->noise_step - w->segment[l]) * w->change[i * L + l];
    }
}

static void finish(Walk *w, int64_t l, int8_t outcome) {
    const Task *t = &w->t;
    const int64_t L = t->lanes, s = w->sample[l];
    for (int64_t i = 0; i < t->size; i++) t->final[s * t->size + i] = w->y[i * L + l];
    for (int64_t i = 0; i < t->sources; i++)
        t->final_noise[s * t->sources + i] =
            w->from[i * L + l] + (w->time[l] / t->noise_step - w->segment[l]) * w->change[i * L + l];
    for (; w->saved[l] < t->saves; w->saved[l]++) {
        for (int64_t i = 0; i < t->size; i++)
            t->states[(s * t->saves + w->saved[l]) * t->size + i] = w->y[i * L + l];
        for (int64_t i = 0; i < t->sources; i++)
            t->noise[(s * t->saves + w->saved[l]) * t->sources + i] = t->final_noise[s * t->sources + i];
    }
    t->reached[s] = w->time[l];
    t->outcome[s] = outcome;
    w->on[l] = 0;
    w->active--;
}

/* The next samples into lanes that are free: their constants, state, noise, rates and first step. */
static void load(Walk *w) {
    const Task *t = &w->t;
    const int64_t L = t->lanes;
    int64_t first = w->next;
    for (int64_t l = 0; l < L && w->next < t->samples; l++) {
        if (w->on[l]) continue;
        w->sample[l] = w->next++;
        w->on[l] = 2;
        w->active++;
        w->time[l] = w->looked[l] = 0;
        w->segment[l] = w->saved[l] = w->waited[l] = 0;
        w->knot[l] = 1;
        w->unseen[l] = (int64_t)t->look;
        w->broken[l] = 0;
        look_ahead(w, l);
        w->sharpness[l] = 1;
        w->slowest[l] = INFINITY;
        for (int64_t i = 0; i < t->size; i++) w->y[i * L + l] = t->start[w->sample[l] * t->size + i];
        for (int64_t k = 0; k < t->constants; k++) {
            const int64_t *at = t->constant_slot + 4 * k;
            for (int64_t i = 0; i < at[1]; i++)
                w->slots[(at[0] + i) * L + l] = t->constant_value[at[2] + w->sample[l] * at[3] + i];
        }
        if (t->sources) draw(w, l, 0);
        for (int64_t i = 0; i < t->sources; i++) {
            w->from[i * L + l] = w->knots[i * BUFFER * L + l];
            w->to[i * L + l] = w->knots[(i * BUFFER + 1) * L + l];
            w->change[i * L + l] = w->to[i * L + l] - w->from[i * L + l];
        }
    }
    if (first == w->next) return;
    sound(w);
    place(w, w->y, 0.0);
    rates(w, w->trial);
    for (int64_t l = 0; l < L; l++) {
        if (w->on[l] != 2) continue;
        w->on[l] = 1;
        double speed = 0;
        for (int64_t i = 0; i < t->size; i++) {
            double rate = w->rate[i * L + l] = w->trial[i * L + l];
            double own = fabs(rate) / (1e-3 + (t->absolute + fabs(w->y[i * L + l])));
            speed = own > speed || own != own ? own : speed;
        }
        double wanted = 0.01 / (speed > 1e-6 ? speed : 1e-6);
        w->h[l] = wanted < 0.1 ? wanted : 0.1;
        w->largest[l] = 0;
        for (int64_t k = 0; k < t->watches; k++) {
            double value = w->slots[t->watched[k] * L + l];
            w->watch[k * L + l] = value;
            w->largest[l] = fabs(value) > w->largest[l] ? fabs(value) : w->largest[l];
        }
        keep(w, l, 0.0, 1);
    }
}

/* Lanes that came to a knot, whose number is in `knot`, go on towards it. */
static void play_on(Walk *w) {
    const Task *t = &w->t;
    const int64_t L = t->lanes;
    const int64_t *restrict turns = w->turns, *restrict number = w->knot;
    for (int64_t l = 0; l < L; l++)
        if (turns[l] && number[l] % BUFFER == 0) draw(w, l, number[l]);
    for (int64_t i = 0; i < t->sources; i++) {
        const double *restrict knots = w->knots + i * BUFFER * L;
        double *restrict from = w->from + i * L, *restrict to = w->to + i * L, *restrict change = w->change + i * L;
        LANES(l, L) {
            double here = turns[l] ? to[l] : from[l], there = knots[(number[l] & (BUFFER - 1)) * L + l];
            from[l] = here;
            to[l] = there;
            change[l] = there - here;
        }
    }
}

static void try_step(Walk *w) {
    const Task *t = &w->t;
    const int64_t L = t->lanes, n = t->size * L;
    const double noise_step = t->noise_step, end = t->end, runaway = t->runaway;
    const double last = t->sources ? (double)t->last_segment : -1.0;
    const int64_t *restrict on = w->on;
    double *restrict time = w->time, *restrict h = w->h, *restrict step = w->step, *restrict limit = w->limit;
    double *restrict segment = w->segment;
    const double *restrict ahead = w->ahead;
    int64_t *restrict reaches = w->reaches, *restrict good = w->good;
    LANES(l, L) {
        double next = (segment[l] + 1) * noise_step;
        double upto = ((segment[l] < last) & (next < end)) ? next : end;
        upto = ahead[l] < upto ? ahead[l] : upto;
        limit[l] = upto;
        reaches[l] = time[l] + 1.01 * h[l] >= upto;
        step[l] = !on[l] ? 0.0 : reaches[l] ? upto - time[l] : h[l];
    }
    sound(w);
    if (t->implicit) implicit_step(w);
    else explicit_step(w);
    w->tried++;

    judge(w);

    const double *restrict norm = w->norm, *restrict size = w->size, *restrict growth = w->growth;
    int64_t bad = 0;
    LANES(l, L) {
        double grown = step[l] * growth[l];
        int64_t accepted = on[l] & (norm[l] <= 1);
        good[l] = accepted & (size[l] < runaway);
        bad |= on[l] & !good[l];
        h[l] = (accepted & reaches[l] & (h[l] > grown)) ? h[l] : grown;
    }
    if (t->saves)
        for (int64_t l = 0; l < L; l++)
            if (good[l] && w->saved[l] < t->saves) keep(w, l, reaches[l] ? limit[l] : time[l] + step[l], 0);
    const double *rate = w->stages + (t->implicit ? 6 : 5) * n;
    if (!bad) {
        double *y = w->y;
        w->y = w->trial;
        w->trial = y;
        memcpy(w->rate, rate, sizeof(double) * n);
    } else
        for (int64_t i = 0; i < t->size; i++)
            LANES(l, L) {
                w->y[i * L + l] = good[l] ? w->trial[i * L + l] : w->y[i * L + l];
                w->rate[i * L + l] = good[l] ? rate[i * L + l] : w->rate[i * L + l];
            }
    int64_t *restrict turns = w->turns, *restrict number = w->knot, *restrict unseen = w->unseen;
    int64_t turned = 0, looked_at = t->settled > 0;
    LANES(l, L) {
        double now = reaches[l] ? limit[l] : time[l] + step[l];
        time[l] = now = good[l] ? now : time[l];
        int64_t turn = good[l] & reaches[l] & (now < end) & (segment[l] < last) & (now >= (segment[l] + 1) * noise_step);
        segment[l] = turn ? segment[l] + 1 : segment[l];
        turns[l] = turn;
        number[l] += turn;
        turned |= turn;
        unseen[l] -= on[l];
        looked_at |= on[l] & (!good[l] | (now >= end) | (unseen[l] == 0));
    }
    if (turned) play_on(w);
    if (t->breaks)
        for (int64_t l = 0; l < L; l++) look_ahead(w, l);
    if (!looked_at) return;
    int freed = 0;
    for (int64_t l = 0; l < L; l++) {
        if (!on[l]) continue;
        int8_t ended = 0, outcome = 0;
        if (good[l]) {
            if (t->settled > 0) {
                double moved = 0;
                for (int64_t k = 0; k < t->watches; k++) {
                    double value = w->slots[t->watched[k] * L + l], by = fabs(value - w->watch[k * L + l]);
                    moved = by > moved || by != by ? by : moved;
                    w->largest[l] = fabs(value) > w->largest[l] ? fabs(value) : w->largest[l];
                    w->watch[k * L + l] = value;
                }
                double resting = rest_size(t, w->largest[l]);
                if (step[l] >= t->shortest_rest && moved <= t->settled * resting * step[l])
                    ended = outcome = 1;
                else if (t->sharpens)
                    sharpen(w, l, moved, resting);
            }
            if (time[l] >= end) ended = 1;
        } else if (norm[l] <= 1) {
            ended = 1;
            outcome = 2;
        } else if (h[l] < t->shortest * (time[l] > 1 ? time[l] : 1.0)) {
            ended = 1;
            outcome = 3;
        }
        if (!ended && unseen[l] == 0) {
            if (time[l] - w->looked[l] < t->least_progress) { ended = 1; outcome = 3; }
            w->looked[l] = time[l];
            unseen[l] = (int64_t)t->look;
        }
        if (ended) { finish(w, l, outcome); freed = 1; }
    }
    if (freed && w->next < t->samples) load(w);
}

/* ---- what Python calls -------------------------------------------------------------------------------------------------- */

/* Zeros that begin a line of the cache, which no vector of lanes then straddles. */
static void *room(Walk *w, int64_t count) {
    size_t bytes = ((size_t)(count > 0 ? count : 1) * 8 + 63) / 64 * 64;
    void *found = aligned_alloc(64, bytes);
    if (found) memset(found, 0, bytes);
    else w->tried = -1;
    return found;
}

void analogflow_close(Walk *w) {
    if (!w) return;
    void *all[] = {w->broken, w->ahead, w->sample, w->segment, w->position, w->part, w->sharpness, w->slowest, w->waited, w->saved, w->unseen, w->knot, w->turns, w->slots, w->tangents, w->y, w->stages, w->inner, w->trial,
        w->error, w->rate, w->moved, w->time, w->h, w->step, w->limit, w->size, w->largest, w->watch, w->looked, w->norm,
        w->growth, w->room, w->from, w->to, w->change, w->before, w->slope, w->knots, w->matrix, w->vector, w->pivot, w->on,
        w->reaches, w->good};
    for (size_t k = 0; k < sizeof all / sizeof *all; k++) free(all[k]);
    free(w);
}

/* A walk of a task, whose arrays stay the caller's; NULL where there is no memory, or lanes are neither one nor some times eight. */
Walk *analogflow_open(const Task *task) {
    if (task->lanes != 1 && (task->lanes < 1 || task->lanes % 8)) return NULL;
    Walk *w = calloc(1, sizeof *w);
    if (!w) return NULL;
    w->t = *task;
    const int64_t L = task->lanes, n = task->size * L, s = task->sources * L;
    w->broken = room(w, L); w->ahead = room(w, L); w->sample = room(w, L); w->saved = room(w, L); w->unseen = room(w, L); w->knot = room(w, L); w->turns = room(w, L);
    w->slots = room(w, task->slots * L); w->tangents = room(w, task->implicit ? task->slots * L : 0);
    w->y = room(w, n); w->stages = room(w, 7 * n); w->inner = room(w, n); w->trial = room(w, n); w->error = room(w, n);
    w->rate = room(w, n); w->moved = room(w, n);
    w->time = room(w, L); w->h = room(w, L); w->step = room(w, L); w->limit = room(w, L); w->size = room(w, L);
    w->largest = room(w, L); w->watch = room(w, task->watches * L); w->looked = room(w, L); w->norm = room(w, L);
    w->growth = room(w, L); w->room = room(w, 2 * L); w->segment = room(w, L); w->position = room(w, L); w->part = room(w, L);
    w->sharpness = room(w, L); w->slowest = room(w, L); w->waited = room(w, L);
    w->from = room(w, s); w->to = room(w, s); w->change = room(w, s); w->before = room(w, s); w->slope = room(w, s);
    w->knots = room(w, s * BUFFER);
    w->matrix = room(w, task->implicit ? n * task->size : 0); w->vector = room(w, task->size); w->pivot = room(w, n);
    w->on = room(w, L); w->reaches = room(w, L); w->good = room(w, L);
    if (w->tried) { analogflow_close(w); return NULL; }
    load(w);
    return w;
}

/* Try up to `steps` steps; how many samples are not done yet, and in `progress` the sum of times that lanes have reached. */
int64_t analogflow_advance(Walk *w, int64_t steps, double *progress) {
    for (int64_t k = 0; k < steps && w->active; k++) try_step(w);
    *progress = 0;
    for (int64_t l = 0; l < w->t.lanes; l++) *progress += w->on[l] ? w->time[l] : 0.0;
    *w->t.steps = w->tried;
    return w->active + (w->t.samples - w->next);
}

/* Bytes of a record, by its number: the caller writes the same ones. */
int64_t analogflow_record_size(int64_t record) {
    const size_t sizes[] = {sizeof(Task), sizeof(Op), sizeof(Part)};
    return record >= 0 && record < 3 ? (int64_t)sizes[record] : -1;
}
