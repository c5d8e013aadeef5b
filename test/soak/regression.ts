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
  return { slope, uncertainty: 1.96 * standardError, mean };
}
