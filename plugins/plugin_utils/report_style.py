# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report's style sheet: light or dark as the reader's system is, and plain on paper."""
from __future__ import annotations

STYLE = """
:root {
  --ground: #f6f7f9; --card: #ffffff; --ink: #1b1f24; --soft: #59636e; --rule: #d5dae0;
  --good: #1a7f43; --good-ground: #dcf3e4; --bad: #b3261e; --bad-ground: #fbe0de;
  --open: #8a5a00; --open-ground: #fdeecb; --calm: #48658c; --calm-ground: #dfe8f4;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #14171b; --card: #1d2126; --ink: #e7eaee; --soft: #9ba5b1; --rule: #363d46;
    --good: #56c983; --good-ground: #173323; --bad: #ff8a80; --bad-ground: #431b19;
    --open: #f2bd55; --open-ground: #3a2c0d; --calm: #8fb2e0; --calm-ground: #202d3f;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, "Segoe UI", "Liberation Sans", sans-serif; }
main, footer { max-width: 68rem; margin: 0 auto; padding: 1.5rem; }
footer { color: var(--soft); font-size: .85rem; padding-top: 0; }
header, main > section {
  background: var(--card); border: 1px solid var(--rule); border-radius: 8px; padding: 1.2rem 1.5rem; margin-bottom: 1.2rem;
}
h1 { font-size: 1.5rem; margin: 0 0 .4rem; }
h2 { font-size: 1.25rem; margin: 0 0 .4rem; overflow-wrap: anywhere; }
h3 { font-size: 1.05rem; margin: 1.4rem 0 .4rem; padding-top: .9rem; border-top: 1px solid var(--rule); }
h4 { font-size: .95rem; margin: 1rem 0 .3rem; }
p { margin: .4rem 0; max-width: 60rem; overflow-wrap: anywhere; }
ul { margin: .3rem 0; padding-left: 1.2rem; }
li { overflow-wrap: anywhere; }
a { color: inherit; }
dl { display: flex; flex-wrap: wrap; gap: .3rem 2rem; margin: .6rem 0; }
dl > div { max-width: 100%; }
dt { color: var(--soft); font-size: .8rem; }
dd { margin: 0; overflow-wrap: anywhere; }
.chip {
  display: inline-block; padding: .05rem .6rem; border-radius: 1rem; border: 1px solid currentColor;
  font-size: .85rem; font-weight: 600; white-space: nowrap;
}
.chip.good { color: var(--good); background: var(--good-ground); }
.chip.bad { color: var(--bad); background: var(--bad-ground); }
.chip.open { color: var(--open); background: var(--open-ground); border-style: dashed; }
.chip.calm { color: var(--calm); background: var(--calm-ground); }
.notice { border-left: 4px solid; padding: .6rem .9rem; border-radius: 4px; max-width: none; }
.notice.bad { border-color: var(--bad); background: var(--bad-ground); }
.notice.open { border-color: var(--open); background: var(--open-ground); }
.wide { overflow-x: auto; margin: .6rem 0; }
table { border-collapse: collapse; width: 100%; font-size: .88rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem .35rem 0; border-bottom: 1px solid var(--rule); overflow-wrap: anywhere; }
th { color: var(--soft); font-weight: 600; white-space: nowrap; }
.matrix td:first-child { white-space: nowrap; }
.matrix ul { font-size: .8rem; color: var(--soft); }
.fleet td { overflow-wrap: break-word; }
.fleet th { white-space: normal; overflow-wrap: normal; }
.difference td:first-child { white-space: nowrap; font-weight: 600; }
figure { margin: .8rem 0; }
figcaption { color: var(--soft); font-size: .82rem; display: flex; gap: 1.2rem; flex-wrap: wrap; margin-top: .3rem; }
.key { display: inline-block; width: 1.1em; height: .8em; margin-right: .4em; border-radius: 3px; border: 1px solid var(--soft); vertical-align: -.05em; }
.key.good { background: var(--good); }
.key.bad { background: repeating-linear-gradient(45deg, var(--bad) 0 4px, var(--card) 4px 5px); }
.key.open { background: var(--open-ground); border: 1px dashed var(--open); } .key.calm { background: var(--calm); }
.key.hatched { background: repeating-linear-gradient(45deg, var(--good) 0 3px, var(--card) 3px 5px); }
svg { width: 100%; height: auto; display: block; font: 13px system-ui, "Segoe UI", "Liberation Sans", sans-serif; }
svg text { fill: var(--ink); }
svg .small { font-size: 11.5px; fill: var(--soft); }
svg .strong { font-weight: 600; }
svg .mark { fill: var(--card); font-weight: 700; }
svg .good { fill: var(--good); } svg .bad { fill: var(--bad); } svg .calm { fill: var(--calm); }
svg .open { fill: var(--open-ground); stroke: var(--open); stroke-dasharray: 3 2; }
svg .hatched { fill: url(#hatch); }
#hatch path { stroke: var(--card); stroke-width: 2; }
svg .axis { stroke: var(--rule); }
svg .frame { fill: none; stroke: var(--soft); }
svg .line { fill: none; stroke: var(--good); stroke-width: 2.5; }
svg .open + .mark { fill: var(--ink); }
details { margin: .5rem 0; }
summary { cursor: pointer; color: var(--soft); }
pre {
  font: 12px/1.4 ui-monospace, "Liberation Mono", monospace; background: var(--ground); border: 1px solid var(--rule);
  border-radius: 4px; padding: .6rem; margin: .3rem 0; overflow-x: auto; max-height: 30rem;
}
.both { display: grid; grid-template-columns: 1fr 1fr; gap: 1rem; }
.both > * { min-width: 0; }
@media (max-width: 50rem) { .both { grid-template-columns: 1fr; } main { padding: .6rem; } }
@media print {
  :root {
    --ground: #ffffff; --card: #ffffff; --ink: #000000; --soft: #444444; --rule: #bbbbbb;
    --good: #1a7f43; --good-ground: #ffffff; --bad: #b3261e; --bad-ground: #ffffff;
    --open: #8a5a00; --open-ground: #ffffff; --calm: #48658c; --calm-ground: #ffffff;
  }
  @page { margin: 15mm; }
  body { font-size: 10.5pt; }
  main, footer { max-width: none; padding: 0; }
  header, main > section { border: 0; border-radius: 0; padding: 0; }
  .cluster + .cluster { break-before: page; }
  h2, h3, h4 { break-after: avoid; }
  tr, figure, .notice { break-inside: avoid; }
  .wide { overflow: visible; }
  pre { max-height: none; white-space: pre-wrap; overflow-wrap: anywhere; }
  details::details-content { content-visibility: visible; block-size: auto; }
  summary { list-style: none; }
  * { print-color-adjust: exact; }
}
"""
