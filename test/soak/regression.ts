/** A straight line through measurements, by least squares: does something grow, and how sure is that? */
export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Line {
  /** Change of y for each 1 of x. */
  readonly slope: number;
  /** Half the width of the slope's 95 % confidence interval. */
  readonly uncertainty: number;
  readonly mean: number;
}

/** @param points at least three */
export function fitLine(points: readonly Point[]): Line {
  const n = points.length;
  if (n < 3) throw new RangeError("a line through fewer than three points says nothing");
  const sum = (of: (point: Point) => number): number => points.reduce((total, point) => total + of(point), 0);
  const meanX = sum(({ x }) => x) / n;
  const mean = sum(({ y }) => y) / n;
  const spreadX = sum(({ x }) => (x - meanX) ** 2);
  if (spreadX === 0) throw new RangeError("all points stand at the same x");
  const slope = sum(({ x, y }) => (x - meanX) * (y - mean)) / spreadX;
  const residual = sum(({ x, y }) => (y - mean - slope * (x - meanX)) ** 2);
  const standardError = Math.sqrt(residual / (n - 2) / spreadX);
  return { slope, uncertainty: studentT(n - 2) * standardError, mean };
}

const FEW = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228];

/** Beyond it lie 2.5 % on either side: few points tell less than the normal distribution has it. */
export function studentT(freedom: number): number {
  const exact = FEW[freedom - 1];
  if (exact !== undefined) return exact;
  // Cornish and Fisher's expansion, right to 0.003 from here on.
  const z = 1.959964;
  return z + (z ** 3 + z) / (4 * freedom) + (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * freedom ** 2);
}

/** What a quantity did while it was measured. */
export interface Trend {
  readonly mean: number;
  readonly slopePerHour: number;
  /** Half the width of the slope's 95 % confidence interval. */
  readonly uncertaintyPerHour: number;
  /** What the slope comes to over the measured time. */
  readonly growth: number;
  /** The most that it can come to, with the same confidence. */
  readonly growthMax: number;
  /** So much would be a leak. */
  readonly growthAllowed: number;
  /** Proven: the most that it can have grown is allowed. Noise too strong to tell is no proof. */
  readonly isFlat: boolean;
}

/** @param points x in minutes, in order */
export function trendOf(points: readonly Point[], growthAllowed: number): Trend {
  const { slope, uncertainty, mean } = fitLine(points);
  const minutes = (points.at(-1)?.x ?? 0) - (points[0]?.x ?? 0);
  const growthMax = (slope + uncertainty) * minutes;
  return {
    mean,
    slopePerHour: slope * 60,
    uncertaintyPerHour: uncertainty * 60,
    growth: slope * minutes,
    growthMax,
    growthAllowed,
    isFlat: growthMax <= growthAllowed,
  };
}
