import { h, render } from "preact";
import { useState } from "preact/hooks";
import { count } from "./words.js";

function App() {
  const [text, setText] = useState("copy run copy");
  const words = count(text).map(([word, times]) => h("li", null, `${word}: ${times}`));
  return [
    h("h1", null, "Which words does a text use most?"),
    h("textarea", { value: text, onInput: (event) => setText(event.target.value) }),
    h("ol", null, words),
  ];
}

render(h(App), document.getElementById("app"));
