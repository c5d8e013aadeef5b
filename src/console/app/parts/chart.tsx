/**
 * Usage over time as stacked bars on a canvas, with a readout of the step under the pointer. A
 * canvas says nothing to screen readers: the table beneath it says the same.
 */
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { useObservable } from "../state/observable.ts";
import type { Point, Timeline } from "../state/range.ts";
import { paint } from "../state/theme.ts";
import { counted, shortNumber, wholeNumber } from "./wording.ts";

const HEIGHT = 220;
const HEIGHT_NARROW = 170;
const NARROW = 560;

/** Stacked from the axis upwards. */
const OUTCOMES = [
  { name: "ok", text: "Served" },
  { name: "denied", text: "Refused" },
  { name: "errors", text: "Errors" },
] as const;

export function UsageChart({
  timeline,
  label,
}: {
  readonly timeline: Timeline;
  readonly label: string;
}): JSX.Element {
  const holder = useRef<HTMLDivElement>(null);
  const [pointed, setPointed] = useState<number | undefined>(undefined);
  const painted = useObservable(paint);
  useEffect(() => {
    const element = holder.current;
    if (element === null) return;
    const colours = coloursOf(element);
    const size = sizeOf(element);
    const plot = new uPlot(optionsFor(timeline, colours, size, setPointed), dataOf(timeline.points), element);
    const observer = new ResizeObserver(() => plot.setSize(sizeOf(element)));
    observer.observe(element);
    return () => {
      observer.disconnect();
      plot.destroy();
    };
  }, [timeline, painted]);
  const point = pointed === undefined ? undefined : timeline.points[pointed];
  return (
    <figure class="chart">
      <figcaption class="chart-head">
        <ul class="legend">
          {OUTCOMES.map(({ name, text }) => (
            <li key={name} class={`legend-${name}`}>
              <span class="legend-mark" />
              {text}
              {point !== undefined && <b>{wholeNumber(point[name])}</b>}
            </li>
          ))}
        </ul>
        <span class="chart-when">{point === undefined ? "" : stepText(point.atMs, timeline)}</span>
      </figcaption>
      <div
        ref={holder}
        class="chart-canvas"
        role="img"
        aria-label={`${label}. ${summary(timeline.points)}`}
      />
      <UsageTable timeline={timeline} label={label} />
    </figure>
  );
}

function UsageTable({
  timeline,
  label,
}: {
  readonly timeline: Timeline;
  readonly label: string;
}): JSX.Element {
  const used = timeline.points.filter(({ ok, denied, errors }) => ok + denied + errors > 0).toReversed();
  return (
    <details class="chart-data">
      <summary>Show as a table</summary>
      <div class="table-scroll" tabIndex={0} role="region" aria-label={`${label}, as a table`}>
        <table class="table table-tight">
          <caption class="unseen">{label}</caption>
          <thead>
            <tr>
              <th scope="col">Begins</th>
              {OUTCOMES.map(({ name, text }) => (
                <th key={name} scope="col" class="number">
                  {text}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {used.map((point) => (
              <tr key={point.atMs}>
                <th scope="row">{stepText(point.atMs, timeline)}</th>
                <td class="number">{wholeNumber(point.ok)}</td>
                <td class="number">{wholeNumber(point.denied)}</td>
                <td class="number">{wholeNumber(point.errors)}</td>
              </tr>
            ))}
            {used.length === 0 && (
              <tr>
                <td colSpan={4}>Nothing in this time.</td>
              </tr>
            )}
          </tbody>
        </table>
      </div>
    </details>
  );
}

function summary(points: readonly Point[]): string {
  const sum = (name: (typeof OUTCOMES)[number]["name"]): number =>
    points.reduce((total, point) => total + point[name], 0);
  return `${counted(sum("ok"), "request")} served, ${wholeNumber(sum("denied"))} refused, ${counted(sum("errors"), "error")}.`;
}

const withTime = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });
const timeOnly = new Intl.DateTimeFormat("en-GB", { timeStyle: "short" });
const dayOnly = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
/** The registry's days are those of UTC. */
const utcDay = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeZone: "UTC" });
const utcDayOnly = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });

function stepText(atMs: number, { step }: Timeline): string {
  return step === "day" ? `${utcDay.format(atMs)} (UTC)` : withTime.format(atMs);
}

/** Each series covers those below it, so the sum of all is drawn first. */
function dataOf(points: readonly Point[]): uPlot.AlignedData {
  return [
    points.map(({ atMs }) => atMs / 1000),
    points.map(({ ok, denied, errors }) => ok + denied + errors),
    points.map(({ ok, denied }) => ok + denied),
    points.map(({ ok }) => ok),
  ];
}

interface Colours {
  readonly ok: string;
  readonly denied: string;
  readonly errors: string;
  readonly text: string;
  readonly line: string;
}

/** From the style sheet, as they are in the theme of the moment. */
function coloursOf(near: HTMLElement): Colours {
  const read = (name: string): string => {
    const probe = document.createElement("i");
    probe.className = `colour-${name}`;
    near.append(probe);
    const { color } = getComputedStyle(probe);
    probe.remove();
    return color;
  };
  return {
    ok: read("ok"),
    denied: read("denied"),
    errors: read("errors"),
    text: read("text"),
    line: read("line"),
  };
}

function sizeOf(element: HTMLElement): { readonly width: number; readonly height: number } {
  const width = Math.max(200, element.clientWidth);
  return { width, height: width < NARROW ? HEIGHT_NARROW : HEIGHT };
}

function optionsFor(
  timeline: Timeline,
  colours: Colours,
  size: { readonly width: number; readonly height: number },
  onPoint: (index: number | undefined) => void,
): uPlot.Options {
  const { points, stepMs, step } = timeline;
  const first = (points[0]?.atMs ?? 0) / 1000;
  const last = ((points.at(-1)?.atMs ?? 0) + stepMs) / 1000;
  const paths = uPlot.paths.bars?.({ align: 1, size: [0.78, 48] });
  const bar = (fill: string): uPlot.Series => ({
    fill,
    width: 0,
    points: { show: false },
    ...(paths !== undefined && { paths }),
  });
  const axis = {
    stroke: colours.text,
    font: "12px system-ui, sans-serif",
    grid: { stroke: colours.line, width: 1 },
    ticks: { show: false },
  };
  return {
    ...size,
    ...(step === "day" && { tzDate: (seconds: number) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC") }),
    legend: { show: false },
    cursor: { drag: { setScale: false, x: false, y: false }, points: { show: false }, y: false },
    padding: [10, 16, 0, 0],
    scales: {
      x: { time: true, range: () => [first, last] },
      y: { range: (_plot, _low, high) => [0, Math.max(4, high * 1.08)] },
    },
    axes: [
      { ...axis, ...timeAxis(timeline), grid: { show: false }, size: 28 },
      {
        ...axis,
        size: 46,
        values: (_plot, splits) => splits.map((split) => (split % 1 === 0 ? shortNumber(split) : "")),
      },
    ],
    series: [{}, bar(colours.errors), bar(colours.denied), bar(colours.ok)],
    hooks: {
      setCursor: [
        (plot) => {
          const { left } = plot.cursor;
          const isInside = left !== undefined && left !== null && left >= 0;
          const index = isInside ? Math.floor((plot.posToVal(left, "x") - first) / (stepMs / 1000)) : -1;
          onPoint(points[index] === undefined ? undefined : index);
        },
      ],
    },
  };
}

const HOUR = 3600;
const DAY = 24 * HOUR;

/** Days where the row is days long, else times of day. */
function timeAxis({ points, step, stepMs }: Timeline): Partial<uPlot.Axis> {
  const endS = ((points.at(-1)?.atMs ?? 0) + stepMs / 2) / 1000;
  const isInDays = step === "day" || points.length > 48;
  const format = step === "day" ? utcDayOnly : isInDays ? dayOnly : timeOnly;
  return {
    incrs: isInDays
      ? [DAY, 2 * DAY, 3 * DAY, 5 * DAY, 7 * DAY]
      : [300, 600, 900, 1800, HOUR, 2 * HOUR, 3 * HOUR, 4 * HOUR, 6 * HOUR],
    space: 56,
    // The end of the last step is the edge of the picture: a label there would be cut.
    values: (_plot, splits) => splits.map((seconds) => (seconds < endS ? format.format(seconds * 1000) : "")),
  };
}
