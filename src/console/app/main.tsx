/** Where the console begins. */
import { render } from "preact";

const root = document.querySelector("#app");
if (root !== null) render(<p>Keyward</p>, root);
